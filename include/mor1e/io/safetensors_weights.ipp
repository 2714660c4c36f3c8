#pragma once

#include <cstdint>
#include <set>
#include <system_error>

#include <nlohmann/json.hpp>

#include "mor1e/io/safetensors_weights.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::io {

namespace detail {

inline constexpr const char* single_weight_file = "model.safetensors";
inline constexpr const char* weight_index_file = "model.safetensors.index.json";

/// The index of a sharded folder: tensor name -> file name.
inline std::map<std::string, std::string> read_weight_index(const std::filesystem::path& path) {
  const nlohmann::json index = read_json(path);
  require<io_error>(index.is_object() && index.contains("weight_map") && index["weight_map"].is_object(), path.string(),
                    ": has no object weight_map");
  std::map<std::string, std::string> out;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    // Only names of files in the same folder: an index must not reach elsewhere.
    require<io_error>(shard.is_string() && shard.get_ref<const std::string&>().find('/') == std::string::npos,
                      path.string(), ": tensor '", name, "': the shard is not a file name");
    out.emplace(name, shard.get<std::string>());
  }
  return out;
}

}  // namespace detail

MOR1E_INLINE std::vector<std::filesystem::path> safetensors_weight_files(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code unreadable;  // counts as missing
  if (fs::is_regular_file(folder / detail::single_weight_file, unreadable))
    return {folder / detail::single_weight_file};
  const fs::path index = folder / detail::weight_index_file;
  require<io_error>(fs::is_regular_file(index, unreadable), folder.string(), ": holds neither ",
                    detail::single_weight_file, " nor ", detail::weight_index_file,
                    fs::exists(folder / "pytorch_model.bin", unreadable) ? "; pytorch_model.bin is not read" : "");
  std::set<std::string> shards;
  for (const auto& [name, shard] : detail::read_weight_index(index)) {
    const bool known = !shards.insert(shard).second;
    require<io_error>(known || fs::is_regular_file(folder / shard, unreadable), index.string(), ": tensor '", name,
                      "' is in shard ", shard, ", which is missing");
  }
  std::vector<fs::path> out;
  for (const auto& shard : shards) out.push_back(folder / shard);
  return out;
}

MOR1E_INLINE safetensors_weights::safetensors_weights(const std::filesystem::path& folder) : folder_(folder) {
  std::map<std::string, const safetensors_file*> by_file_name;
  for (const auto& path : safetensors_weight_files(folder)) {
    files_.push_back(std::make_unique<safetensors_file>(path));
    by_file_name.emplace(path.filename().string(), files_.back().get());
  }
  if (files_.size() == 1 && by_file_name.count(detail::single_weight_file)) {
    for (const auto& entry : files_[0]->entries()) places_.emplace(entry.name, place{files_[0].get(), &entry});
    return;
  }
  const auto index = folder / detail::weight_index_file;
  for (const auto& [name, shard] : detail::read_weight_index(index)) {
    const safetensors_file* file = by_file_name.at(shard);
    const safetensors_entry* entry = file->find(name);
    require<io_error>(entry != nullptr, index.string(), ": tensor '", name, "' is not in shard ", shard);
    places_.emplace(name, place{file, entry});
  }
  // A tensor that no index leads to would be left out of the model, silently.
  for (const auto& file : files_)
    for (const auto& entry : file->entries()) {
      const auto found = places_.find(entry.name);
      require<io_error>(found != places_.end() && found->second.file == file.get(), file->path().string(), ": tensor '",
                        entry.name, "' is not what ", detail::weight_index_file, " says is here");
    }
}

MOR1E_INLINE std::vector<std::string> safetensors_weights::names() const {
  std::vector<std::string> out;
  for (const auto& [name, found] : places_) out.push_back(name);
  return out;
}

MOR1E_INLINE const safetensors_weights::place& safetensors_weights::at(std::string_view name) const {
  const auto found = places_.find(name);
  require<io_error>(found != places_.end(), folder_.string(), ": no tensor '", name, "'");
  return found->second;
}

MOR1E_INLINE stored_tensor safetensors_weights::stored(std::string_view name) const {
  const place& found = at(name);
  return {found.entry->name, found.entry->type, found.entry->extents, found.file->bytes(*found.entry).data()};
}

MOR1E_INLINE const float* safetensors_weights::mapped_f32(std::string_view name) const {
  const place& found = at(name);
  const std::byte* data = found.file->bytes(*found.entry).data();
  if (found.entry->type != dtype::f32 || reinterpret_cast<std::uintptr_t>(data) % alignof(float) != 0) return nullptr;
  return reinterpret_cast<const float*>(data);
}

namespace detail {

class safetensors_rows final : public row_source<float> {
 public:
  safetensors_rows(const safetensors_file& file, const safetensors_entry& entry)
      : entry_(&entry), bytes_(file.bytes(entry).data()), row_bytes_(entry.bytes / std::size_t(rows())) {}

  index_t rows() const override { return entry_->extents.rows(); }
  index_t cols() const override { return entry_->extents.cols(); }
  void read_rows(index_t first, view<float> to) const override {
    for (index_t i = 0; i < to.rows; ++i)
      convert_elements(entry_->type, bytes_ + std::size_t(first + i) * row_bytes_, to.cols, to.row(i), entry_->name);
  }

 private:
  const safetensors_entry* entry_;
  const std::byte* bytes_;
  std::size_t row_bytes_;
};

}  // namespace detail

MOR1E_INLINE std::unique_ptr<row_source<float>> safetensors_weights::stored_rows(std::string_view name) const {
  const place& found = at(name);
  const dtype type = found.entry->type;
  if ((type != dtype::bf16 && type != dtype::f16) || found.entry->extents.size() == 0) return nullptr;
  return std::make_unique<detail::safetensors_rows>(*found.file, *found.entry);
}

MOR1E_INLINE void safetensors_weights::drop(std::string_view name) const {
  const place& found = at(name);
  found.file->drop(*found.entry);
}

}  // namespace mor1e::io
