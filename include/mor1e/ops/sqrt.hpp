// Square root.
#pragma once

#include <cmath>

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = sqrt(x); NaN below 0, an infinite gradient at 0.
struct sqrt_op : elementwise<sqrt_op> {
  static constexpr const char* label = "sqrt";

  template <class T>
  MOR1E_HD static T f(T x) {
    return std::sqrt(x);
  }
  template <class T>
  MOR1E_HD static T df(T, T y) {
    return T(0.5) / y;
  }

  static std::vector<op_case<sqrt_op>> cases() { return cases_on(0.5, 4); }
};

template <class B, class T>
var<T> sqrt(tape<B>& t, var<T> x) {
  return t.template apply<sqrt_op, T>({}, {x});
}

template <class B, class T>
value<B, T> sqrt(value<B, T> x) {
  return on(x.tape(), sqrt(x.tape(), x.var()));
}

}  // namespace mor1e::ops
