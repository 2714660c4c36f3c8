// Square.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = x^2
struct square_op : elementwise<square_op> {
  static constexpr const char* label = "square";

  template <class T>
  MOR1E_HD static T f(T x) {
    return x * x;
  }
  template <class T>
  MOR1E_HD static T df(T x, T) {
    return x + x;
  }

  static std::vector<op_case<square_op>> cases() { return cases_on(-4, 4); }
};

template <class B, class T>
var<T> square(tape<B>& t, var<T> x) {
  return t.template apply<square_op, T>({}, {x});
}

template <class B, class T>
value<B, T> square(value<B, T> x) {
  return on(x.tape(), square(x.tape(), x.var()));
}

}  // namespace mor1e::ops
