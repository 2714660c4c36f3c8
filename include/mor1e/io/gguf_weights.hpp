// Weights of a GGUF file of the llama architecture, as the Hugging Face model has them.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "mor1e/io/gguf.hpp"
#include "mor1e/io/weights.hpp"

namespace mor1e::io {

/// The Hugging Face name of a llama tensor: "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight". Empty
/// for a name that has none.
std::string hugging_face_name(std::string_view gguf_name);

/// The files of a model that may be split ("NAME-00001-of-00003.gguf"), in their order: all parts, whichever `path` is.
/// A file that is not split is alone. Throws `io_error` naming the parts that are missing.
std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& path);

/// `weight_source` over a GGUF file or its parts, under Hugging Face names.
///
/// GGUF keeps the rows of a query or key head in pairs (x_0, x_{n/2}), (x_1, x_{n/2+1}), ... of the rotary halves; here
/// they stand half by half again: row h n + p n/2 + j of the Hugging Face matrix is row h n + 2 j + p of the stored one
/// (head h of n rows, p = 0, 1, j < n/2).
class gguf_weights final : public weight_source {
 public:
  /// Opens all parts (see `gguf_parts`). Throws `io_error` for parts that do not belong together, another architecture,
  /// a tensor without a Hugging Face name or in two parts, rotary embedding of a part of a head, and rows that are no
  /// whole heads.
  explicit gguf_weights(const std::filesystem::path& path);

  /// The first part: its metadata holds configuration and tokeniser.
  const gguf_file& file() const { return parts_.front(); }

  std::vector<std::string> names() const override;
  bool contains(std::string_view name) const override { return places_.find(name) != places_.end(); }
  shape extents(std::string_view name) const override { return at(name).stored->extents; }
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
    index_t head_rows;  // rows of one head if they stand in rotary pairs, else 0
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
