// Hyperbolic tangent.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = tanh x
struct tanh_op : elementwise<tanh_op> {
  static constexpr const char* label = "tanh";

  template <class T>
  MOR1E_HD static T f(T x) {
    return math::tanh(x);
  }
  template <class T>
  MOR1E_HD static T df(T, T y) {
    return T(1) - y * y;
  }

  static std::vector<op_case<tanh_op>> cases() { return cases_on(-4, 4); }
};

template <class B, class T>
var<T> tanh(tape<B>& t, var<T> x) {
  return t.template apply<tanh_op, T>({}, {x});
}

template <class B, class T>
value<B, T> tanh(value<B, T> x) {
  return on(x.tape(), tanh(x.tape(), x.var()));
}

}  // namespace mor1e::ops
