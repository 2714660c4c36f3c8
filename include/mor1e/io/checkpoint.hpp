// A model as it lies on disk: configuration and weights, from a Hugging Face folder or a GGUF file.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/io/weights.hpp"

namespace mor1e::io {

/// An opened model.
struct checkpoint {
  std::filesystem::path path;
  /// What config.json says, except that a head in the files beats `tie_word_embeddings`, and without
  /// `quantization_config` if the linears are in the four bits of bitsandbytes; for a GGUF file the same keys, made from
  /// its metadata.
  nlohmann::json config;
  std::unique_ptr<weight_source> weights;  ///< null: a model of zeros, for what does not depend on them, such as memory

  /// `checkpoint_hash(path)`, computed at the first call (it reads all weights) and kept. Not to be called from two
  /// threads at once.
  const std::string& hash() const;

 private:
  mutable std::string hash_;
};

/// Opens a Hugging Face folder (config.json and safetensors) or a GGUF file of an architecture that
/// `gguf_architecture` knows, all its parts if it is split.
/// Throws `io_error`: "no model at PATH: ..." if there is none, and naming file and tensor if it is malformed.
checkpoint open_checkpoint(const std::filesystem::path& path);

/// SHA-256 of the weights: of the GGUF file or its parts, or of the safetensors files of a folder, in name order.
/// Throws `io_error` as `open_checkpoint`.
std::string checkpoint_hash(const std::filesystem::path& path);

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/checkpoint.ipp"
#endif
