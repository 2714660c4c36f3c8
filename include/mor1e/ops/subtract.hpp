// Difference of two matrices.
#pragma once

#include "mor1e/ops/affine.hpp"
#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = a - b; da = dy, db = -dy. A row, a column or a number is repeated.     a, b -> y, shapes as in ops/zip.hpp
struct subtract_op : zip<subtract_op> {
  static constexpr const char* label = "subtract";
  static constexpr std::uint64_t backward_reads = 0;

  template <class T>
  MOR1E_HD static T f(T a, T b) {
    return a - b;
  }
  template <class T>
  MOR1E_HD static T da(T, T, T) {
    return T(1);
  }
  template <class T>
  MOR1E_HD static T db(T, T, T) {
    return T(-1);
  }
};

template <class B, class T>
var<T> subtract(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<subtract_op, T>({}, {a, b});
}

template <Value X, Value Y>
auto subtract(const X& a, const Y& b) {
  return applied<subtract_op>(a, b);
}
template <Value X, Value Y>
auto operator-(const X& a, const Y& b) {
  return subtract(a, b);
}
template <class B, class T>
value<B, T> operator-(value<B, T> a, double b) {
  return affine(a, 1, -b);
}
template <class B, class T>
value<B, T> operator-(double a, value<B, T> b) {
  return affine(b, -1, a);
}

}  // namespace mor1e::ops
