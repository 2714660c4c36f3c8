#pragma once

#include <utility>

#include "mor1e/io/bitsandbytes_weights.hpp"
#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/gguf_weights.hpp"
#include "mor1e/io/prefixed_weights.hpp"
#include "mor1e/io/safetensors_weights.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::io {

namespace detail {

/// Throws unless `path` is something a model can be read from.
inline void require_model(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto kind = std::filesystem::status(path, ignored).type();
  using std::filesystem::file_type;
  require<io_error>(kind != file_type::not_found, "no model at ", path.string(), ": no such file or folder");
  require<io_error>(kind == file_type::directory || (kind == file_type::regular && path.extension() == ".gguf"),
                    "no model at ", path.string(), ": neither a folder nor a .gguf file");
  require<io_error>(kind == file_type::regular || std::filesystem::is_regular_file(path / "config.json", ignored),
                    "no model at ", path.string(), ": the folder holds no config.json");
}

}  // namespace detail

MOR1E_INLINE checkpoint open_checkpoint(const std::filesystem::path& path) {
  detail::require_model(path);
  checkpoint out;
  out.path = path;
  if (std::filesystem::is_directory(path)) {
    out.config = read_json(path / "config.json");
    require<io_error>(out.config.is_object(), (path / "config.json").string(), ": is not a JSON object");
    auto files = std::make_unique<safetensors_weights>(path);
    if (bitsandbytes_weights::are(*files)) {
      out.weights = std::make_unique<bitsandbytes_weights>(std::move(files));
      out.config.erase("quantization_config");  // how the weights are stored is known, and changes no computation
    } else {
      out.weights = std::move(files);
    }
    // Bloom's released files were saved from inside the model.
    if (out.config.value("model_type", nlohmann::json()) == "bloom" && out.weights->contains("word_embeddings.weight"))
      out.weights = std::make_unique<prefixed_weights>(std::move(out.weights), "transformer.");
    if (out.weights->contains("lm_head.weight")) out.config["tie_word_embeddings"] = false;
  } else {
    auto weights = std::make_unique<gguf_weights>(path);
    out.config = weights->config();
    out.weights = std::move(weights);
  }
  return out;
}

MOR1E_INLINE std::string checkpoint_hash(const std::filesystem::path& path) {
  detail::require_model(path);
  sha256 hash;
  for (const auto& file : std::filesystem::is_directory(path) ? safetensors_weight_files(path) : gguf_parts(path))
    hash.update_file(file);
  return hash.hex();
}

MOR1E_INLINE const std::string& checkpoint::hash() const {
  if (hash_.empty()) hash_ = checkpoint_hash(path);
  return hash_;
}

}  // namespace mor1e::io
