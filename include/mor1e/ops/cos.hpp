// The cosine.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = cos x, x in radians; dy/dx = -sin x
struct cos_op : elementwise<cos_op> {
  static constexpr const char* label = "cos";

  template <class T>
  MOR1E_HD static T f(T x) {
    return math::cos(x);
  }
  template <class T>
  MOR1E_HD static T df(T x, T) {
    return -math::sin(x);
  }
};

template <class B, class T>
var<T> cos(tape<B>& t, var<T> x) {
  return t.template apply<cos_op, T>({}, {x});
}

template <class B, class T>
value<B, T> cos(value<B, T> x) {
  return on(x.tape(), cos(x.tape(), x.var()));
}

}  // namespace mor1e::ops
