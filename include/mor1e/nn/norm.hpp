// Normalisation layers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mor1e/autodiff/value.hpp"
#include "mor1e/nn/weight.hpp"
#include "mor1e/ops/layer_norm.hpp"
#include "mor1e/ops/rms_norm.hpp"

namespace mor1e::nn {

/// y = (w + offset) * x / sqrt(mean x^2 + eps); the offset is 1 in Gemma, 0 elsewhere
template <class B, class T = float>
struct rms_norm {
  vector_weight<B, T> w;
  double eps = 1e-5;
  double offset = 0;

  rms_norm() = default;
  /// Of a loaded model.
  rms_norm(vector_weight<B, T> w, double eps, double offset = 0) : w(std::move(w)), eps(eps), offset(offset) {}
  /// Trained from w = 1, as parameter `name`.weight.
  rms_norm(B& device, const std::string& name, index_t width, double eps = 1e-5)
      : w(device, name + ".weight", tensor<T>({1, width}, T(1))), eps(eps) {}

  var<T> forward(tape<B>& t, var<T> x) const { return ops::rms_norm(t, x, w.on(t), eps, offset); }
  value<B, T> operator()(value<B, T> x) const { return on(x.tape(), forward(x.tape(), x.var())); }
  std::vector<param<B, T>*> parameters() const { return w.parameters(); }
};

/// y = w * (x - mean x) / sqrt(var x + eps) + b
template <class B, class T = float>
struct layer_norm {
  vector_weight<B, T> w, b;
  double eps = 1e-12;

  layer_norm() = default;
  /// Of a loaded model.
  layer_norm(vector_weight<B, T> w, vector_weight<B, T> b, double eps) : w(std::move(w)), b(std::move(b)), eps(eps) {}
  /// Trained from w = 1 and b = 0, as parameters `name`.weight and `name`.bias.
  layer_norm(B& device, const std::string& name, index_t width, double eps = 1e-5)
      : w(device, name + ".weight", tensor<T>({1, width}, T(1))),
        b(device, name + ".bias", tensor<T>({1, width}, T(0))),
        eps(eps) {}

  var<T> forward(tape<B>& t, var<T> x) const { return ops::layer_norm(t, x, w.on(t), b.on(t), eps); }
  value<B, T> operator()(value<B, T> x) const { return on(x.tape(), forward(x.tape(), x.var())); }
  std::vector<param<B, T>*> parameters() const { return parameters_of(w, b); }
};

}  // namespace mor1e::nn
