// Gaussian error linear unit.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = x P(x), P the normal distribution function: P(x) = (1 + erf(x / sqrt 2)) / 2, P'(x) = exp(-x^2 / 2) / sqrt(2
/// pi). Source: Hendrycks and Gimpel 2016. BERT's activation.
struct gelu_erf_op : elementwise<gelu_erf_op> {
  static constexpr const char *label = "gelu_erf", *gated_label = "gated_gelu_erf";

  template <class T>
  MOR1E_HD static T distribution(T x) {
    return T(0.5) * (T(1) + math::erf(T(0.70710678118654752) * x));
  }
  template <class T>
  MOR1E_HD static T f(T x) {
    return x * distribution(x);
  }
  template <class T>
  MOR1E_HD static T df(T x, T) {
    return distribution(x) + x * T(0.39894228040143268) * math::exp(T(-0.5) * x * x);
  }
};

template <class B, class T>
var<T> gelu_erf(tape<B>& t, var<T> x) {
  return t.template apply<gelu_erf_op, T>({}, {x});
}

/// The same by the name it has without further word; its approximation is in ops/gelu_tanh.hpp.
template <class B, class T>
var<T> gelu(tape<B>& t, var<T> x) {
  return gelu_erf(t, x);
}

template <class B, class T>
value<B, T> gelu(value<B, T> x) {
  return on(x.tape(), gelu(x.tape(), x.var()));
}

}  // namespace mor1e::ops
