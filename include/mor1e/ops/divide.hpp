// Quotient of two matrices, element by element.
#pragma once

#include "mor1e/ops/reciprocal.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = a / b; da = dy / b, db = -dy y / b. A row, a column or a number is repeated.
///   a, b -> y, shapes as in ops/zip.hpp
struct divide_op : zip<divide_op> {
  static constexpr const char* label = "divide";

  template <class T>
  MOR1E_HD static T f(T a, T b) {
    return a / b;
  }
  template <class T>
  MOR1E_HD static T da(T, T b, T) {
    return T(1) / b;
  }
  template <class T>
  MOR1E_HD static T db(T, T b, T y) {
    return -y / b;
  }

  static std::vector<op_case<divide_op>> cases() { return cases_on(-1, 1, 0.5, 2); }
};

template <class B, class T>
var<T> divide(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<divide_op, T>({}, {a, b});
}

template <Value X, Value Y>
auto divide(const X& a, const Y& b) {
  return applied<divide_op>(a, b);
}
template <Value X, Value Y>
auto operator/(const X& a, const Y& b) {
  return divide(a, b);
}
template <class B, class T>
value<B, T> operator/(value<B, T> a, double b) {
  return scale(a, 1 / b);
}
template <class B, class T>
value<B, T> operator/(double a, value<B, T> b) {
  return scale(reciprocal(b), a);
}

}  // namespace mor1e::ops
