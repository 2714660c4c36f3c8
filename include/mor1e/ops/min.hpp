// The smallest element of all, of each column or of each row.
#pragma once

#include "mor1e/autodiff/value.hpp"
#include "mor1e/ops/extreme.hpp"

namespace mor1e::ops {

/// y = the smallest of x over all elements, over the rows or over the columns; dx is dy at the first smallest element
/// and 0 elsewhere. NaN if one is NaN.                                     x [T, n] -> y [1, 1], [1, n] or [T, 1] For
/// the smallest of two elements see ops/minimum.hpp.
struct min_op : extreme<min_op> {
  static constexpr const char* label = "min";
  static constexpr int sign = -1;
};

/// min(t, x) is one number; min(t, x, over::columns) one a row.
template <class B, class T>
var<T> min(tape<B>& t, var<T> x, over what = over::all) {
  return t.template apply<min_op, T>({what}, {x});
}

template <class B, class T>
value<B, T> min(value<B, T> x, over what = over::all) {
  return on(x.tape(), min(x.tape(), x.var(), what));
}

}  // namespace mor1e::ops
