// Where one element is not larger than another.
#pragma once

#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = 1 where a <= b, else 0; 0 where either is NaN. A mask for ops/where.hpp; it has no gradient.
///   a, b -> y, shapes as in ops/zip.hpp
struct less_equal_op : zip<less_equal_op> {
  static constexpr const char* label = "less_equal";
  static constexpr const char* no_gradient = "a step: it does not change with small changes";

  template <class T>
  MOR1E_HD static T f(T a, T b) {
    return a <= b ? T(1) : T(0);
  }
};

template <class B, class T>
var<T> less_equal(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<less_equal_op, T>({}, {a, b});
}

template <class X, class Y>
requires ValueOperands<X, Y>
auto less_equal(const X& a, const Y& b) { return applied<less_equal_op>(a, b); }

template <class X, class Y>
requires ValueOperands<X, Y>
auto operator<=(const X& a, const Y& b) { return less_equal(a, b); }

}  // namespace mor1e::ops
