// Where two elements are equal.
#pragma once

#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = 1 where a = b, else 0; 0 where either is NaN. A mask for ops/where.hpp; it has no gradient.
///   a, b -> y, shapes as in ops/zip.hpp
struct equal_op : zip<equal_op> {
  static constexpr const char* label = "equal";
  static constexpr const char* no_gradient = "a step: it does not change with small changes";

  template <class T>
  MOR1E_HD static T f(T a, T b) {
    return a == b ? T(1) : T(0);
  }

  static std::vector<op_case<equal_op>> cases() {
    auto out = cases_on(-1, 1, -1, 1);
    out.push_back({.name = "all", .inputs = {{3, 5, 0.7, 0.7}, {3, 5, 0.7, 0.7}}});
    return out;
  }
};

template <class B, class T>
var<T> equal(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<equal_op, T>({}, {a, b});
}

template <class X, class Y>
requires ValueOperands<X, Y>
auto equal(const X& a, const Y& b) { return applied<equal_op>(a, b); }

}  // namespace mor1e::ops
