// Gemma: a gate of tanh GELU, norms of 1 + w, and an embedding that is scaled by the root of the width.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/models/rotary_decoder.hpp"
#include "mor1e/ops/gelu_tanh.hpp"

namespace mor1e::models {

template <class B, class T>
class gemma final : public rotary_decoder<B, T, ops::gelu_tanh_op> {
 public:
  using gemma::rotary_decoder::rotary_decoder;

  static std::vector<std::string> model_types() { return {"gemma"}; }
  static std::unique_ptr<gemma> make(loader<B, T> from) {
    llama_config config = read_gemma_config(from.source().config, from.source().path.string());
    return std::make_unique<gemma>(std::move(from), std::move(config));
  }
};

}  // namespace mor1e::models
