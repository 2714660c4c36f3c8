// Weights of a GGUF file, as the Hugging Face model has them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "mor1e/io/gguf_architecture.hpp"
#include "mor1e/io/weights.hpp"

namespace mor1e::io {

/// The files of a model that may be split ("NAME-00001-of-00003.gguf"), in their order: all parts, whichever `path` is.
/// A file that is not split is alone. Throws `io_error` naming the parts that are missing.
std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& path);

/// `weight_source` over a GGUF file or its parts, as the Hugging Face model has the tensors: names, order of rows and
/// values are those of `gguf_architecture`.
class gguf_weights final : public weight_source {
 public:
  /// Opens all parts (see `gguf_parts`). Throws `io_error` for parts that do not belong together, an architecture that
  /// is not known, a tensor that has no place in it or the place of another, and as `names_of`.
  explicit gguf_weights(const std::filesystem::path& path);

  /// The first part: its metadata holds configuration and tokeniser.
  const gguf_file& file() const { return parts_.front(); }
  /// See `config_of` in gguf_architecture.hpp.
  nlohmann::json config() const;

  std::vector<std::string> names() const override;
  bool contains(std::string_view name) const override { return places_.find(name) != places_.end(); }
  shape extents(std::string_view name) const override;
  std::string stored_type(std::string_view name) const override { return std::string(name_of(at(name).stored->type)); }
  void read(std::string_view name, float* out) const override;
  void read(std::string_view name, double* out) const override;
  const float* mapped_f32(std::string_view name) const override;
  std::unique_ptr<row_source<float>> stored_rows(std::string_view name) const override;
  void drop(std::string_view name) const override { at(name).file->drop(*at(name).stored); }

 private:
  struct place {
    const gguf_file* file;
    const gguf_tensor* stored;
    gguf_row_order rows;
    float added;
  };
  const place& at(std::string_view name) const;
  template <class T>
  void read_as(std::string_view name, T* out) const;

  std::vector<gguf_file> parts_;  // their addresses stand in places_
  std::map<std::string, place, std::less<>> places_;
};

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/gguf_weights.ipp"
#endif
