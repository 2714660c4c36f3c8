// Natural logarithm.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = log x for x > 0; in float for normal x, anything else gives no meaningful number (core/math.hpp).
struct log_op : elementwise<log_op> {
  static constexpr const char* label = "log";

  template <class T>
  MOR1E_HD static T f(T x) {
    return math::log(x);
  }
  template <class T>
  MOR1E_HD static T df(T x, T) {
    return T(1) / x;
  }

  static std::vector<op_case<log_op>> cases() { return cases_on(0.5, 4); }
};

template <class B, class T>
var<T> log(tape<B>& t, var<T> x) {
  return t.template apply<log_op, T>({}, {x});
}

template <class B, class T>
value<B, T> log(value<B, T> x) {
  return on(x.tape(), log(x.tape(), x.var()));
}

}  // namespace mor1e::ops
