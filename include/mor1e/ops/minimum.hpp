// The smaller of two elements.
#pragma once

#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = min(a, b). The gradient goes to the smaller one, half to each where they are equal. NaN in either gives NaN.
///   a, b -> y, shapes as in ops/zip.hpp
struct minimum_op : zip<minimum_op> {
  static constexpr const char* label = "minimum";

  template <class T>
  MOR1E_HD static T f(T a, T b) {
    return a <= b ? a : (a != a ? a : b);
  }
  template <class T>
  MOR1E_HD static T da(T a, T b, T) {
    return a < b ? T(1) : (a == b ? T(0.5) : T(0));
  }
  template <class T>
  MOR1E_HD static T db(T a, T b, T) {
    return b < a ? T(1) : (a == b ? T(0.5) : T(0));
  }

  static std::vector<op_case<minimum_op>> cases() {
    auto out = cases_on(-1, 1, -1, 1);
    out.push_back({.name = "equal", .inputs = {{3, 5, 0.7, 0.7}, {3, 5, 0.7, 0.7}}});
    return out;
  }
};

template <class B, class T>
var<T> minimum(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<minimum_op, T>({}, {a, b});
}

template <class X, class Y>
requires ValueOperands<X, Y>
auto minimum(const X& a, const Y& b) { return applied<minimum_op>(a, b); }

}  // namespace mor1e::ops
