// Absolute value.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = |x|; the gradient at 0 is 0.
struct abs_op : elementwise<abs_op> {
  static constexpr const char* label = "abs";

  template <class T>
  MOR1E_HD static T f(T x) {
    return x < T(0) ? -x : x;
  }
  template <class T>
  MOR1E_HD static T df(T x, T) {
    return x > T(0) ? T(1) : (x < T(0) ? T(-1) : T(0));
  }

  static std::vector<op_case<abs_op>> cases() {
    auto out = cases_on(0.1, 4);
    out.push_back({.name = "negative", .inputs = {{5, 3, -4, -0.1}}});
    out.push_back({.name = "zero", .inputs = {{2, 3, 0, 0}}});
    return out;
  }
};

template <class B, class T>
var<T> abs(tape<B>& t, var<T> x) {
  return t.template apply<abs_op, T>({}, {x});
}

template <class B, class T>
value<B, T> abs(value<B, T> x) {
  return on(x.tape(), abs(x.tape(), x.var()));
}

}  // namespace mor1e::ops
