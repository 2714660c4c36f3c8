// Token embeddings.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/nn/init.hpp"
#include "mor1e/nn/weight.hpp"
#include "mor1e/ops/embedding.hpp"
#include "mor1e/ops/frozen_embedding.hpp"

namespace mor1e::nn {

/// y_t = scale E[token_t]                                                 E [vocabulary, d], tokens [T, 1] -> [T, d]
template <class B, class T = float>
struct embedding {
  weight<B, T> table;
  double scale = 1;  ///< the root of d in Gemma

  embedding() = default;
  /// Of a loaded model.
  explicit embedding(weight<B, T> table) : table(std::move(table)) {}
  /// Trained from the given values, as parameter `name`.weight.
  embedding(B& device, const std::string& name, const tensor<T>& values) : table(device, name + ".weight", values) {}
  /// Trained from normal values with mean 0 and standard deviation `deviation`, drawn from `key`.
  embedding(B& device, const std::string& name, index_t vocabulary, index_t width, std::uint64_t key,
            double deviation = 1)
      : embedding(device, name, init::normal<T>({vocabulary, width}, deviation, key)) {}

  var<T> forward(tape<B>& t, var<std::int32_t> tokens) const {
    if (table.trainable()) return ops::embedding(t, t.use(*table.parameter()), tokens, scale);
    return ops::frozen_embedding<T>(t, t.frozen(table.values()), tokens, scale);
  }
  value<B, T> operator()(value<B, std::int32_t> tokens) const {
    return on(tokens.tape(), forward(tokens.tape(), tokens.var()));
  }
  std::vector<param<B, T>*> parameters() const { return table.parameters(); }
};

}  // namespace mor1e::nn
