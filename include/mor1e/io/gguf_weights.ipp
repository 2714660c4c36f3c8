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
#include "mor1e/io/json_fields.hpp"

namespace mor1e::io {

MOR1E_INLINE std::string hugging_face_name(std::string_view gguf_name) {
  constexpr std::pair<std::string_view, std::string_view> outer[] = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"output.weight", "lm_head.weight"},
  };
  for (const auto& [gguf, hugging_face] : outer)
    if (gguf_name == gguf) return std::string(hugging_face);

  constexpr std::pair<std::string_view, std::string_view> inner[] = {
      {"attn_norm", "input_layernorm"}, {"ffn_norm", "post_attention_layernorm"},
      {"attn_q", "self_attn.q_proj"},   {"attn_k", "self_attn.k_proj"},
      {"attn_v", "self_attn.v_proj"},   {"attn_output", "self_attn.o_proj"},
      {"ffn_gate", "mlp.gate_proj"},    {"ffn_up", "mlp.up_proj"},
      {"ffn_down", "mlp.down_proj"},
  };
  // blk.LAYER.MODULE.weight or .bias
  constexpr std::string_view prefix = "blk.";
  const std::size_t layer_end = gguf_name.find('.', prefix.size()), module_end = gguf_name.rfind('.');
  if (gguf_name.substr(0, prefix.size()) != prefix || layer_end == std::string_view::npos || module_end <= layer_end)
    return "";
  const std::string_view layer = gguf_name.substr(prefix.size(), layer_end - prefix.size());
  const std::string_view module = gguf_name.substr(layer_end + 1, module_end - layer_end - 1);
  const std::string_view parameter = gguf_name.substr(module_end);
  if (layer.empty() || layer.find_first_not_of("0123456789") != std::string_view::npos ||
      (parameter != ".weight" && parameter != ".bias"))
    return "";
  for (const auto& [gguf, hugging_face] : inner)
    if (module == gguf) return text("model.layers.", layer, ".", hugging_face, parameter);
  return "";
}

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
  const std::string where = file().path().string();
  const std::string architecture = file().string("general.architecture");
  require<io_error>(architecture == "llama", where, ": architecture '", architecture, "' is not supported, llama is");
  const std::int64_t q_heads = file().integer("llama.attention.head_count");
  const bool grouped = file().contains("llama.attention.head_count_kv");
  const std::int64_t k_heads = grouped ? file().integer("llama.attention.head_count_kv") : q_heads;
  for (const std::int64_t heads : {q_heads, k_heads})
    require<io_error>(heads > 0 && heads <= largest_size, where, ": ", heads, " attention heads");

  for (const gguf_file& part : parts_)
    for (const auto& stored : part.tensors()) {
      const std::string name = hugging_face_name(stored.name);
      // Dropping what is not understood (rope_freqs, experts, ...) would give another model, silently.
      require<io_error>(!name.empty(), where, ": tensor '", stored.name, "' has no place in a llama model");
      place found{&part, &stored, 0};
      const bool q = name.find(".q_proj.") != std::string::npos, k = name.find(".k_proj.") != std::string::npos;
      if (q || k) {
        // A bias is a column of as many rows as the weight.
        const index_t rows = stored.extents.rank() == 1 ? stored.extents[0] : stored.extents.rows();
        const index_t heads = q ? q_heads : k_heads;
        require<io_error>(rows % (2 * heads) == 0, where, ": tensor '", stored.name, "': ", rows, " rows are no ",
                          heads, " heads of even size");
        found.head_rows = rows / heads;
        if (file().contains("llama.rope.dimension_count")) {
          const std::int64_t rotary = file().integer("llama.rope.dimension_count");
          require<io_error>(rotary == found.head_rows, where, ": rotary embedding of ", rotary, " of ", found.head_rows,
                            " dimensions is not supported");
        }
      }
      require<io_error>(places_.emplace(name, found).second, part.path().string(), ": tensor '", stored.name,
                        "' stands in another part, too");
    }
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

MOR1E_INLINE const float* gguf_weights::mapped_f32(std::string_view name) const {
  const place& found = at(name);
  const std::byte* data = found.file->bytes(*found.stored).data();
  if (found.stored->type != ggml_type::f32 || found.head_rows != 0 ||
      reinterpret_cast<std::uintptr_t>(data) % alignof(float) != 0)
    return nullptr;
  return reinterpret_cast<const float*>(data);
}

namespace detail {

/// A stored matrix; or a vector, whose elements are rows if they belong to heads.
class gguf_rows final : public row_source<float> {
 public:
  /// `head_rows`: of one head, if they stand in rotary pairs, else 0. Throws `io_error` for a type that is not known.
  gguf_rows(const gguf_file& file, const gguf_tensor& stored, index_t head_rows)
      : type_(stored.type),
        head_rows_(head_rows),
        cols_(head_rows > 0 && stored.extents.rank() == 1 ? 1 : stored.extents.cols()),
        rows_(stored.extents.size() / std::max<index_t>(1, cols_)),
        bytes_(file.bytes(stored).data()),
        row_bytes_(stored.bytes / std::size_t(std::max<index_t>(1, rows_))),
        where_(text(file.path().string(), ": tensor '", stored.name, "'")) {
    dequantise(type_, bytes_, 0, nullptr, where_);
  }

  index_t rows() const override { return rows_; }
  index_t cols() const override { return cols_; }
  void read_rows(index_t first, view<float> to) const override {
    for (index_t i = 0; i < to.rows; ++i)
      dequantise(type_, bytes_ + std::size_t(stored_row(first + i)) * row_bytes_, cols_, to.row(i), where_);
  }

 private:
  index_t stored_row(index_t row) const {
    const index_t n = head_rows_;
    if (!n) return row;
    const index_t in_head = row % n, half = in_head / (n / 2), j = in_head % (n / 2);
    return row - in_head + 2 * j + half;
  }

  ggml_type type_;
  index_t head_rows_, cols_, rows_;
  const std::byte* bytes_;
  std::size_t row_bytes_;
  std::string where_;
};

}  // namespace detail

template <class T>
void gguf_weights::read_as(std::string_view name, T* out) const {
  const place& found = at(name);
  const detail::gguf_rows rows(*found.file, *found.stored, found.head_rows);
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
  return std::make_unique<detail::gguf_rows>(*found.file, *found.stored, found.head_rows);
}

MOR1E_INLINE void gguf_weights::read(std::string_view name, float* out) const { read_as(name, out); }
MOR1E_INLINE void gguf_weights::read(std::string_view name, double* out) const { read_as(name, out); }

}  // namespace mor1e::io
