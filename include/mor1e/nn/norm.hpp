// Normalisation layers.
#pragma once

#include "mor1e/nn/weight.hpp"
#include "mor1e/ops/layer_norm.hpp"
#include "mor1e/ops/rms_norm.hpp"

namespace mor1e::nn {

/// y = w * x / sqrt(mean x^2 + eps)
template <class B, class T>
struct rms_norm {
  vector_weight<B, T> w;
  double eps = 1e-5;

  var<T> forward(tape<B>& t, var<T> x) const { return ops::rms_norm(t, x, w.on(t), eps); }
};

/// y = w * (x - mean x) / sqrt(var x + eps) + b
template <class B, class T>
struct layer_norm {
  vector_weight<B, T> w, b;
  double eps = 1e-12;

  var<T> forward(tape<B>& t, var<T> x) const { return ops::layer_norm(t, x, w.on(t), b.on(t), eps); }
};

}  // namespace mor1e::nn
