// The sine.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = sin x, x in radians; dy/dx = cos x
struct sin_op : elementwise<sin_op> {
  static constexpr const char* label = "sin";

  template <class T>
  MOR1E_HD static T f(T x) {
    return math::sin(x);
  }
  template <class T>
  MOR1E_HD static T df(T x, T) {
    return math::cos(x);
  }
};

template <class B, class T>
var<T> sin(tape<B>& t, var<T> x) {
  return t.template apply<sin_op, T>({}, {x});
}

template <class B, class T>
value<B, T> sin(value<B, T> x) {
  return on(x.tape(), sin(x.tape(), x.var()));
}

}  // namespace mor1e::ops
