// From a path or a name to a model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mor1e/models/bert.hpp"
#include "mor1e/models/bloom.hpp"
#include "mor1e/models/gemma.hpp"
#include "mor1e/models/llama.hpp"
#include "mor1e/models/locate.hpp"
#include "mor1e/models/nomic_bert.hpp"
#include "mor1e/models/open.hpp"
#include "mor1e/models/phi.hpp"
#include "mor1e/models/registration.hpp"

namespace mor1e::models {

namespace detail {

/// The decoders of the library, a line each, and behind them those of the program.
template <class B, class T>
std::vector<decoder_maker<B, T>> known_decoders() {
  std::vector<decoder_maker<B, T>> all{
      maker_of<llama<B, T>, B, T>(),
      maker_of<gemma<B, T>, B, T>(),
      maker_of<phi<B, T>, B, T>(),
      maker_of<bloom<B, T>, B, T>(),
  };
  const auto& others = decoder_makers<B, T>();
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

}  // namespace detail

/// Whether `load` knows a model_type.
template <class B, class T = float>
bool is_supported(const std::string& model_type) {
  for (const auto& decoder : detail::known_decoders<B, T>())
    if (decoder.makes(model_type)) return true;
  return false;
}

/// A decoder from an opened checkpoint. Throws `io_error` if it is malformed, `value_error` for an architecture that is
/// not supported.
template <class B, class T = float>
std::unique_ptr<language_model<B, T>> load(B& device, std::shared_ptr<io::checkpoint> from, load_options options = {}) {
  const std::string type = architecture_of(*from);
  std::string known;
  for (const auto& decoder : detail::known_decoders<B, T>()) {
    if (decoder.makes(type)) return decoder.make(loader<B, T>(device, std::move(from), options));
    for (const std::string& name : decoder.types) known += (known.empty() ? "" : ", ") + name;
  }
  throw value_error(text(from->path.string(), ": model_type '", type, "' is not supported (", known, " are)"));
}

/// A decoder by name (see open.hpp).
template <class B, class T = float>
std::unique_ptr<language_model<B, T>> load(B& device, const std::string& model, load_options options = {}) {
  return load<B, T>(device, std::make_shared<io::checkpoint>(open(model)), options);
}

/// An encoder from an opened checkpoint: BERT (all-MiniLM-L6-v2) or nomic-embed-text. Throws as `load`.
template <class B, class T = float>
std::unique_ptr<encoder<B, T>> load_encoder(B& device, std::shared_ptr<io::checkpoint> from) {
  const std::string type = architecture_of(*from), where = from->path.string();
  require<value_error>(type == "bert" || type == "nomic_bert", where, ": model_type '", type,
                       "' is not supported as an encoder (bert and nomic_bert are)");
  const sentence_modules modules = read_sentence_modules(from->path);
  if (type == "bert") {
    const bert_config config = read_bert_config(from->config, where);
    return std::make_unique<bert<B, T>>(loader<B, T>(device, std::move(from), {}), config, modules);
  }
  const nomic_bert_config config = read_nomic_bert_config(from->config, where);
  return std::make_unique<nomic_bert<B, T>>(loader<B, T>(device, std::move(from), {}), config, modules);
}

/// An encoder by name.
template <class B, class T = float>
std::unique_ptr<encoder<B, T>> load_encoder(B& device, const std::string& model) {
  return load_encoder<B, T>(device, std::make_shared<io::checkpoint>(open(model)));
}

}  // namespace mor1e::models
