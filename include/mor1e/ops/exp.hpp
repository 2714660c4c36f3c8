// Exponential function.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = e^x
struct exp_op : elementwise<exp_op> {
  static constexpr const char* label = "exp";

  template <class T>
  MOR1E_HD static T f(T x) {
    return math::exp(x);
  }
  template <class T>
  MOR1E_HD static T df(T, T y) {
    return y;
  }

  static std::vector<op_case<exp_op>> cases() { return cases_on(-4, 4); }
};

template <class B, class T>
var<T> exp(tape<B>& t, var<T> x) {
  return t.template apply<exp_op, T>({}, {x});
}

template <class B, class T>
value<B, T> exp(value<B, T> x) {
  return on(x.tape(), exp(x.tape(), x.var()));
}

}  // namespace mor1e::ops
