// The larger of two elements.
#pragma once

#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = max(a, b). The gradient goes to the larger one, half to each where they are equal. NaN in either gives NaN.
///   a, b -> y, shapes as in ops/zip.hpp
struct maximum_op : zip<maximum_op> {
  static constexpr const char* label = "maximum";

  template <class T>
  MOR1E_HD static T f(T a, T b) {
    return a >= b ? a : (a != a ? a : b);
  }
  template <class T>
  MOR1E_HD static T da(T a, T b, T) {
    return a > b ? T(1) : (a == b ? T(0.5) : T(0));
  }
  template <class T>
  MOR1E_HD static T db(T a, T b, T) {
    return b > a ? T(1) : (a == b ? T(0.5) : T(0));
  }

  static std::vector<op_case<maximum_op>> cases() {
    auto out = cases_on(-1, 1, -1, 1);
    out.push_back({.name = "equal", .inputs = {{3, 5, 0.7, 0.7}, {3, 5, 0.7, 0.7}}});
    return out;
  }
};

template <class B, class T>
var<T> maximum(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<maximum_op, T>({}, {a, b});
}

template <class X, class Y>
requires ValueOperands<X, Y>
auto maximum(const X& a, const Y& b) { return applied<maximum_op>(a, b); }

}  // namespace mor1e::ops
