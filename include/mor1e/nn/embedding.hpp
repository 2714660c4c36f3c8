// Token embeddings.
#pragma once

#include "mor1e/nn/weight.hpp"
#include "mor1e/ops/embedding.hpp"
#include "mor1e/ops/frozen_embedding.hpp"

namespace mor1e::nn {

/// y_t = E[token_t]                                                   E [vocabulary, d], tokens [T, 1] -> [T, d]
template <class B, class T>
struct embedding {
  weight<B, T> table;

  var<T> forward(tape<B>& t, var<std::int32_t> tokens) const {
    if (table.trainable()) return ops::embedding(t, t.use(*table.parameter()), tokens);
    return ops::frozen_embedding<T>(t, t.frozen(table.values()), tokens);
  }
};

}  // namespace mor1e::nn
