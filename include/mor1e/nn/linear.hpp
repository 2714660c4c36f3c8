// A linear layer.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/autodiff/value.hpp"
#include "mor1e/nn/init.hpp"
#include "mor1e/nn/weight.hpp"
#include "mor1e/ops/frozen_linear.hpp"
#include "mor1e/ops/linear.hpp"

namespace mor1e::nn {

/// y = x W^T (+ b)                                                  x [T, inputs], W [outputs, inputs] -> [T, outputs]
template <class B, class T = float>
struct linear {
  std::string name;  ///< of the module, such as "model.layers.0.self_attn.q_proj"
  weight<B, T> w;
  vector_weight<B, T> b;  ///< or empty

  linear() = default;
  /// Of a loaded model.
  linear(std::string name, weight<B, T> w, vector_weight<B, T> b)
      : name(std::move(name)), w(std::move(w)), b(std::move(b)) {}
  /// Trained from the given values, as parameters `name`.weight and `name`.bias; no b without elements.
  linear(B& device, const std::string& name, const tensor<T>& weight, const tensor<T>& bias = {})
      : name(name), w(device, name + ".weight", weight) {
    if (!bias.empty()) b = {device, name + ".bias", bias};
  }
  /// Trained from W and b uniform in +-1/sqrt(inputs), drawn from `key`: what most frameworks do.
  linear(B& device, const std::string& name, index_t inputs, index_t outputs, std::uint64_t key, bool bias = true)
      : linear(device, name, init::uniform<T>({outputs, inputs}, 1 / std::sqrt(double(inputs)), stream_key(key, 0)),
               bias ? init::uniform<T>({1, outputs}, 1 / std::sqrt(double(inputs)), stream_key(key, 1)) : tensor<T>()) {
  }

  index_t inputs() const { return w.cols(); }
  index_t outputs() const { return w.rows(); }

  var<T> forward(tape<B>& t, var<T> x) const {
    if (w.trainable()) return ops::linear(t, x, t.use(*w.parameter()), b ? b.on(t) : var<T>{});
    const frozen_var frozen = t.frozen(w.values());
    const var<T> bias = b ? b.on(t) : var<T>{};
    return ops::frozen_linear<B, T>(t, x, {&frozen, 1}, {&bias, b ? 1u : 0u});
  }
  value<B, T> operator()(value<B, T> x) const { return on(x.tape(), forward(x.tape(), x.var())); }
  std::vector<param<B, T>*> parameters() const { return parameters_of(w, b); }
};

}  // namespace mor1e::nn
