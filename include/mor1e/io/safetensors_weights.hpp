// Weights in a Hugging Face folder: one safetensors file or several shards.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/weights.hpp"

namespace mor1e::io {

/// The files that hold the weights of a Hugging Face folder, in name order: `model.safetensors`, else the shards named
/// by `model.safetensors.index.json`. Throws `io_error` naming the folder if neither is there, or a shard is missing.
std::vector<std::filesystem::path> safetensors_weight_files(const std::filesystem::path& folder);

/// `weight_source` over those files. Names are as stored; nothing is renamed or left out.
class safetensors_weights final : public weight_source {
 public:
  /// Throws `io_error`: as `safetensors_weight_files`, for a malformed file or index, and for a tensor that the index
  /// names and its shard lacks.
  explicit safetensors_weights(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  /// A tensor as it is stored, in the mapping.
  stored_tensor stored(std::string_view name) const;

  std::vector<std::string> names() const override;
  bool contains(std::string_view name) const override { return places_.find(name) != places_.end(); }
  shape extents(std::string_view name) const override { return at(name).entry->extents; }
  std::string stored_type(std::string_view name) const override { return std::string(name_of(at(name).entry->type)); }
  void read(std::string_view name, float* out) const override { read_as(name, out); }
  void read(std::string_view name, double* out) const override { read_as(name, out); }
  const float* mapped_f32(std::string_view name) const override;
  std::unique_ptr<row_source<float>> stored_rows(std::string_view name) const override;
  void drop(std::string_view name) const override;

 private:
  struct place {
    const safetensors_file* file;
    const safetensors_entry* entry;
  };
  const place& at(std::string_view name) const;
  template <class T>
  void read_as(std::string_view name, T* out) const {
    const place& found = at(name);
    found.file->read(*found.entry, out);
  }

  std::filesystem::path folder_;
  std::vector<std::unique_ptr<safetensors_file>> files_;  // their addresses stand in places_
  std::map<std::string, place, std::less<>> places_;
};

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/safetensors_weights.ipp"
#endif
