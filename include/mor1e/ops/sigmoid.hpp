// Logistic function.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = 1 / (1 + e^-x)
struct sigmoid_op : elementwise<sigmoid_op> {
  static constexpr const char *label = "sigmoid", *gated_label = "gated_sigmoid";

  template <class T>
  MOR1E_HD static T f(T x) {
    return math::sigmoid(x);
  }
  template <class T>
  MOR1E_HD static T df(T, T y) {
    return y * (T(1) - y);
  }
};

template <class B, class T>
var<T> sigmoid(tape<B>& t, var<T> x) {
  return t.template apply<sigmoid_op, T>({}, {x});
}

template <class B, class T>
value<B, T> sigmoid(value<B, T> x) {
  return on(x.tape(), sigmoid(x.tape(), x.var()));
}

}  // namespace mor1e::ops
