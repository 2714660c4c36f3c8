// Rectifier.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = max(x, 0); the gradient at 0 is 0, as elsewhere. NaN stays NaN.
struct relu_op : elementwise<relu_op> {
  static constexpr const char* label = "relu";

  template <class T>
  MOR1E_HD static T f(T x) {
    return x < T(0) ? T(0) : x;
  }
  template <class T>
  MOR1E_HD static T df(T x, T) {
    return x > T(0) ? T(1) : T(0);
  }

  static std::vector<op_case<relu_op>> cases() {
    auto out = cases_on(0.1, 4);
    out.push_back({.name = "negative", .inputs = {{5, 3, -4, -0.1}}});
    return out;
  }
};

template <class B, class T>
var<T> relu(tape<B>& t, var<T> x) {
  return t.template apply<relu_op, T>({}, {x});
}

template <class B, class T>
value<B, T> relu(value<B, T> x) {
  return on(x.tape(), relu(x.tape(), x.var()));
}

}  // namespace mor1e::ops
