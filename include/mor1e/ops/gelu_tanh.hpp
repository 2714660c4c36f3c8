// Gaussian error linear unit by its tanh approximation.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = x (1 + tanh u) / 2 = x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3).
/// Source: Hendrycks and Gimpel 2016. Gemma's activation, GPT-2's "gelu_new".
struct gelu_tanh_op : elementwise<gelu_tanh_op> {
  static constexpr const char *label = "gelu_tanh", *gated_label = "gated_gelu_tanh";
  static constexpr double twice = 1.5957691216057308, cubic = 0.044715;  // 2 sqrt(2 / pi)

  template <class T>
  MOR1E_HD static T weight(T x) {
    return math::sigmoid(T(twice) * x * (T(1) + T(cubic) * x * x));
  }
  template <class T>
  MOR1E_HD static T f(T x) {
    return x * weight(x);
  }
  template <class T>
  MOR1E_HD static T df(T x, T y) {
    const T s = weight(x);
    return s + y * (T(1) - s) * T(twice) * (T(1) + T(3 * cubic) * x * x);
  }
};

template <class B, class T>
var<T> gelu_tanh(tape<B>& t, var<T> x) {
  return t.template apply<gelu_tanh_op, T>({}, {x});
}

template <class B, class T>
value<B, T> gelu_tanh(value<B, T> x) {
  return on(x.tape(), gelu_tanh(x.tape(), x.var()));
}

}  // namespace mor1e::ops
