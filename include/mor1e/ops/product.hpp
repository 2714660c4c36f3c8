// Product of two matrices, element by element, one of them perhaps repeated.
#pragma once

#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = a * b; da = dy * b, db = dy * a. A row, a column or a number is repeated; for two of one shape `multiply` is
/// faster.                                                                       a, b -> y, shapes as in ops/zip.hpp
struct product_op : zip<product_op> {
  static constexpr const char* label = "product";

  template <class T>
  static T f(T a, T b) {
    return a * b;
  }
  template <class T>
  static T da(T, T b, T) {
    return b;
  }
  template <class T>
  static T db(T a, T, T) {
    return a;
  }

  static std::vector<op_case<product_op>> cases() { return cases_on(-1, 1, -1, 1); }
};

template <class B, class T>
var<T> product(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<product_op, T>({}, {a, b});
}

}  // namespace mor1e::ops
