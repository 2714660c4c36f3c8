// One over.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = 1 / x
struct reciprocal_op : elementwise<reciprocal_op> {
  static constexpr const char* label = "reciprocal";

  template <class T>
  MOR1E_HD static T f(T x) {
    return T(1) / x;
  }
  template <class T>
  MOR1E_HD static T df(T, T y) {
    return -y * y;
  }

  static std::vector<op_case<reciprocal_op>> cases() { return cases_on(0.5, 4); }
};

template <class B, class T>
var<T> reciprocal(tape<B>& t, var<T> x) {
  return t.template apply<reciprocal_op, T>({}, {x});
}

template <class B, class T>
value<B, T> reciprocal(value<B, T> x) {
  return on(x.tape(), reciprocal(x.tape(), x.var()));
}

}  // namespace mor1e::ops
