#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "mor1e/io/gguf_dequantise.hpp"
#include "mor1e/io/gguf_weights.hpp"

namespace mor1e::io {

namespace detail {

inline std::string name_of_part(const std::string& prefix, std::int64_t number, std::int64_t count) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%05d-of-%05d.gguf", int(number), int(count));
  return prefix + digits;
}

/// "dir/NAME-" of "dir/NAME-00002-of-00003.gguf", if it is called so and says 3.
inline std::optional<std::string> split_prefix(const std::filesystem::path& path, std::int64_t count) {
  const std::string name = path.string(), ending = name_of_part("", 1, count);
  if (name.size() <= ending.size()) return std::nullopt;
  const std::string prefix = name.substr(0, name.size() - ending.size());
  for (std::int64_t i = 1; i <= count; ++i)
    if (name == name_of_part(prefix, i, count)) return prefix;
  return std::nullopt;
}

/// Checks that the parts are those of one model: numbered through, and with as many tensors as the first one says.
inline void check_parts(const std::vector<gguf_file>& parts) {
  std::int64_t tensors = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t number = parts[i].integer("split.no"), count = parts[i].integer("split.count");
    require<io_error>(number == std::int64_t(i) && count == std::int64_t(parts.size()), parts[i].path().string(),
                      ": says it is part ", number, " of ", count, " (from 0), its name says ", i, " of ",
                      parts.size());
    tensors += std::int64_t(parts[i].tensors().size());
  }
  const std::int64_t all = parts[0].integer("split.tensors.count");
  require<io_error>(tensors == all, parts[0].path().string(), ": the model has ", all, " tensors, its ", parts.size(),
                    " parts hold ", tensors);
}

}  // namespace detail

MOR1E_INLINE std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& path) {
  const gguf_file file(path);
  const std::int64_t count = file.contains("split.count") ? file.integer("split.count") : 1;
  require<io_error>(count >= 1 && count <= 1000, path.string(), ": split.count is ", count);
  if (count == 1) return {path};
  const auto prefix = detail::split_prefix(path, count);
  require<io_error>(prefix.has_value(), path.string(), ": is one of ", count, " parts, and not called ...",
                    detail::name_of_part("-", 1, count), " or the like, so the others cannot be found");
  std::vector<std::filesystem::path> out;
  std::string missing;
  std::error_code unreadable;
  for (std::int64_t i = 1; i <= count; ++i) {
    out.push_back(detail::name_of_part(*prefix, i, count));
    if (!std::filesystem::is_regular_file(out.back(), unreadable))
      missing += (missing.empty() ? "" : ", ") + out.back().filename().string();
  }
  require<io_error>(missing.empty(), path.string(), ": is one of ", count, " parts; missing: ", missing);
  return out;
}

MOR1E_INLINE gguf_weights::gguf_weights(const std::filesystem::path& path) {
  for (const auto& part : gguf_parts(path)) parts_.emplace_back(part);
  if (parts_.size() > 1) detail::check_parts(parts_);
  const gguf_architecture& architecture = gguf_architecture_of(file());
  for (const gguf_file& part : parts_)
    for (const auto& stored : part.tensors()) {
      const auto names = names_of(architecture, file(), stored);
      // Dropping what is not understood (rope_freqs, experts, ...) would give another model, silently.
      require<io_error>(!names.empty(), file().path().string(), ": tensor '", stored.name, "' has no place in a ",
                        architecture.name, " model");
      for (const auto& [name, rows, added] : names)
        require<io_error>(places_.emplace(name, place{&part, &stored, rows, added}).second, part.path().string(),
                          ": tensor '", stored.name, "': '", name, "' is there already");
    }
}

MOR1E_INLINE nlohmann::json gguf_weights::config() const {
  return config_of(gguf_architecture_of(file()), file(), *this);
}

MOR1E_INLINE std::vector<std::string> gguf_weights::names() const {
  std::vector<std::string> out;
  for (const auto& [name, found] : places_) out.push_back(name);
  return out;
}

MOR1E_INLINE const gguf_weights::place& gguf_weights::at(std::string_view name) const {
  const auto found = places_.find(name);
  require<io_error>(found != places_.end(), file().path().string(), ": no tensor '", name, "'");
  return found->second;
}

MOR1E_INLINE shape gguf_weights::extents(std::string_view name) const {
  const place& found = at(name);
  shape out = found.stored->extents;
  if (found.rows.rows > 0) out = out.rank() == 1 ? shape{found.rows.rows} : shape{found.rows.rows, out.cols()};
  return out;
}

MOR1E_INLINE const float* gguf_weights::mapped_f32(std::string_view name) const {
  const place& found = at(name);
  const std::byte* data = found.file->bytes(*found.stored).data();
  if (found.stored->type != ggml_type::f32 || !found.rows.all_in_order() || found.added != 0 ||
      reinterpret_cast<std::uintptr_t>(data) % alignof(float) != 0)
    return nullptr;
  return reinterpret_cast<const float*>(data);
}

namespace detail {

/// A stored matrix or a part of it; or a vector, whose elements are rows if they stand in another order.
class gguf_rows final : public row_source<float> {
 public:
  /// Throws `io_error` for a type that is not known.
  gguf_rows(const gguf_file& file, const gguf_tensor& stored, const gguf_row_order& order, float added)
      : type_(stored.type),
        order_(order),
        added_(added),
        cols_(stored.extents.rank() == 1 && !order.all_in_order() ? 1 : stored.extents.cols()),
        bytes_(file.bytes(stored).data()),
        where_(text(file.path().string(), ": tensor '", stored.name, "'")) {
    const index_t all = stored.extents.size() / std::max<index_t>(1, cols_);
    rows_ = order.rows > 0 ? order.rows : all;
    row_bytes_ = stored.bytes / std::size_t(std::max<index_t>(1, all));
    dequantise(type_, bytes_, 0, nullptr, where_);
    require<io_error>(cols_ % layout_of(type_)->elements == 0, where_, ": a vector of ", name_of(type_),
                      " whose elements stand in another order is not supported");
  }

  index_t rows() const override { return rows_; }
  index_t cols() const override { return cols_; }
  void read_rows(index_t first, view<float> to) const override {
    for (index_t i = 0; i < to.rows; ++i) {
      dequantise(type_, bytes_ + std::size_t(order_.stored_row(first + i)) * row_bytes_, cols_, to.row(i), where_);
      if (added_ != 0)
        for (index_t j = 0; j < cols_; ++j) to(i, j) -= added_;
    }
  }

 private:
  ggml_type type_;
  gguf_row_order order_;
  float added_;
  index_t cols_, rows_;
  const std::byte* bytes_;
  std::size_t row_bytes_;
  std::string where_;
};

}  // namespace detail

template <class T>
void gguf_weights::read_as(std::string_view name, T* out) const {
  const place& found = at(name);
  const detail::gguf_rows rows(*found.file, *found.stored, found.rows, found.added);
  if constexpr (std::is_same_v<T, float>) {
    rows.read_rows(0, view<float>(out, rows.rows(), rows.cols()));
  } else {
    tensor<float> row(shape{1, rows.cols()});
    for (index_t i = 0; i < rows.rows(); ++i) {
      rows.read_rows(i, row.matrix());
      std::copy(row.begin(), row.end(), out + i * rows.cols());
    }
  }
}

MOR1E_INLINE std::unique_ptr<row_source<float>> gguf_weights::stored_rows(std::string_view name) const {
  const place& found = at(name);
  if (found.stored->type == ggml_type::f32) return nullptr;
  return std::make_unique<detail::gguf_rows>(*found.file, *found.stored, found.rows, found.added);
}

MOR1E_INLINE void gguf_weights::read(std::string_view name, float* out) const { read_as(name, out); }
MOR1E_INLINE void gguf_weights::read(std::string_view name, double* out) const { read_as(name, out); }

}  // namespace mor1e::io
