// From a path or a name to a model.
#pragma once

#include <memory>
#include <string>

#include "mor1e/models/bert.hpp"
#include "mor1e/models/llama.hpp"
#include "mor1e/models/locate.hpp"

namespace mor1e::models {

/// Opens a decoder at `model`: a Hugging Face folder, a .gguf file, or a short name (see locate.hpp).
/// Throws `io_error` if there is none or it is malformed, `value_error` for an architecture that is not supported.
template <class B, class T>
std::unique_ptr<language_model<B, T>> load(B&, const std::string& model, load_options options = {}) {
  auto from = std::make_shared<io::checkpoint>(io::open_checkpoint(locate(model)));
  const std::string type = architecture_of(*from);
  if (type == "llama" || type == "mistral") {
    llama_config config = read_llama_config(from->config, from->path.string());
    return std::make_unique<llama<B, T>>(loader<B, T>(std::move(from), options), std::move(config));
  }
  throw value_error(text(from->path.string(), ": model_type '", type, "' is not supported (llama and mistral are)"));
}

/// Opens an encoder: a BERT folder (all-MiniLM-L6-v2).
template <class B, class T>
std::unique_ptr<bert<B, T>> load_encoder(B&, const std::string& model) {
  auto from = std::make_shared<io::checkpoint>(io::open_checkpoint(locate(model)));
  const std::string type = architecture_of(*from);
  require<value_error>(type == "bert", from->path.string(), ": model_type '", type, "' is no supported encoder (bert is)");
  const bert_config config = read_bert_config(from->config, from->path.string());
  return std::make_unique<bert<B, T>>(loader<B, T>(std::move(from), {}), config);
}

}  // namespace mor1e::models
