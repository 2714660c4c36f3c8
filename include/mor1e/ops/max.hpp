// The largest element of all, of each column or of each row.
#pragma once

#include "mor1e/autodiff/value.hpp"
#include "mor1e/ops/extreme.hpp"

namespace mor1e::ops {

/// y = the largest of x over all elements, over the rows or over the columns; dx is dy at the first largest element and
/// 0 elsewhere. NaN if one is NaN.                                     x [T, n] -> y [1, 1], [1, n] or [T, 1] For the
/// largest of two elements see ops/maximum.hpp.
struct max_op : extreme<max_op> {
  static constexpr const char* label = "max";
  static constexpr int sign = 1;
};

/// max(t, x) is one number; max(t, x, over::columns) one a row.
template <class B, class T>
var<T> max(tape<B>& t, var<T> x, over what = over::all) {
  return t.template apply<max_op, T>({what}, {x});
}

template <class B, class T>
value<B, T> max(value<B, T> x, over what = over::all) {
  return on(x.tape(), max(x.tape(), x.var(), what));
}

}  // namespace mor1e::ops
