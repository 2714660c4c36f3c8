// Llama-2, Mistral, Yi, TinyLlama and SmolLM2: a gate of SiLU.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/models/rotary_decoder.hpp"
#include "mor1e/ops/silu.hpp"

namespace mor1e::models {

template <class B, class T>
class llama final : public rotary_decoder<B, T, ops::silu_op> {
 public:
  using llama::rotary_decoder::rotary_decoder;

  static std::vector<std::string> model_types() { return {"llama", "mistral"}; }
  static std::unique_ptr<llama> make(loader<B, T> from) {
    llama_config config = read_llama_config(from.source().config, from.source().path.string());
    return std::make_unique<llama>(std::move(from), std::move(config));
  }
};

}  // namespace mor1e::models
