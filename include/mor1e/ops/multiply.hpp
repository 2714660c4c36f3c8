// Product of two matrices, element by element.
#pragma once

#include "mor1e/ops/scale.hpp"
#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = a * b; da = dy * b, db = dy * a. A row, a column or a number is repeated.
///   a, b -> y, shapes as in ops/zip.hpp
struct multiply_op : zip<multiply_op> {
  static constexpr const char* label = "multiply";

  template <class T>
  MOR1E_HD static T f(T a, T b) {
    return a * b;
  }
  template <class T>
  MOR1E_HD static T da(T, T b, T) {
    return b;
  }
  template <class T>
  MOR1E_HD static T db(T a, T, T) {
    return a;
  }
};

template <class B, class T>
var<T> multiply(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<multiply_op, T>({}, {a, b});
}

template <Value X, Value Y>
auto multiply(const X& a, const Y& b) {
  return applied<multiply_op>(a, b);
}
template <Value X, Value Y>
auto operator*(const X& a, const Y& b) {
  return multiply(a, b);
}
template <class B, class T>
value<B, T> operator*(value<B, T> a, double b) {
  return scale(a, b);
}
template <class B, class T>
value<B, T> operator*(double a, value<B, T> b) {
  return scale(b, a);
}

}  // namespace mor1e::ops
