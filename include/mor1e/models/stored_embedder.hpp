// Vectors that another embedder has made: a file of them, looked up by text.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>

#include "mor1e/core/config.hpp"
#include "mor1e/core/tensor.hpp"
#include "mor1e/models/embedding.hpp"

namespace mor1e::models {

/// E.safetensors with the tensor `embeddings` [n, d], and beside it E.json, the list of the n texts they are of: what
/// the program embed reads and writes, so vectors of any embedder (of a service, of another library) enter as such a
/// pair. Metadata that is heeded, all of it optional:
///
///     embedder_hash, embedder   who made them: files that agree in it serve one adapter
///     prefix                    put before every text of the list
///     data_hash                 SHA-256 of E.json
///     sha256                    digest of vectors and metadata, see `io::sealed`
///
/// `hash()` is `embedder_hash`; else "NAME [d]" with the name `embedder`, else that of the file.
class stored_embedder final : public sentence_embedder {
 public:
  /// Rows are brought to unit length; a row that has it up to rounding (1e-5) stays as it is, bit for bit. Throws
  /// `io_error` naming file and numbers: for a tensor that does not fit the list, a row of zeros or one that is not
  /// finite, a list that is not the one of `data_hash`, vectors that are not those of `sha256`, and a text that is
  /// there twice with vectors further than 1e-3 apart.
  MOR1E_INLINE explicit stored_embedder(const std::filesystem::path& file);

  /// Throws as `check`.
  MOR1E_INLINE tensor<float> embed(std::span<const std::string> sentences,
                                   const embedding_progress& progress = {}) override;
  /// Throws `value_error` for texts that are not, byte for byte, among those of the file: how many, and the first.
  MOR1E_INLINE void check(std::span<const std::string> sentences) override;
  index_t dimension() const override { return rows_.extents()[1]; }
  std::string id() const override { return file_; }
  const std::string& hash() override { return hash_; }

 private:
  std::string file_;  ///< absolute
  std::string hash_;
  tensor<float> rows_;
  std::unordered_map<std::string, index_t> row_of_;
};

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/stored_embedder.ipp"
#endif
