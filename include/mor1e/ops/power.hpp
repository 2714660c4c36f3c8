// A power, element by element.
#pragma once

#include <cmath>

#include "mor1e/ops/zip.hpp"

namespace mor1e::ops {

/// y = a^b; da = dy b a^(b - 1), db = dy y log a. As std::pow: NaN for a negative a and a b that is no integer. At
/// a = 0 with b >= 0 the gradient of b is 0, at b = 0 that of a. For one known exponent see ops/pow.hpp.
///   a, b -> y, shapes as in ops/zip.hpp
struct power_op : zip<power_op> {
  static constexpr const char* label = "power";

  template <class T>
  MOR1E_HD static T f(T a, T b) {
    return std::pow(a, b);
  }
  template <class T>
  MOR1E_HD static T da(T a, T b, T) {
    return b == T(0) ? T(0) : b * std::pow(a, b - T(1));
  }
  template <class T>
  MOR1E_HD static T db(T a, T b, T y) {
    return a == T(0) && b >= T(0) ? T(0) : y * std::log(a);
  }

  static std::vector<op_case<power_op>> cases() { return cases_on(0.5, 2, -2, 3); }
};

template <class B, class T>
var<T> power(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<power_op, T>({}, {a, b});
}

template <class X, class Y>
requires ValueOperands<X, Y>
auto power(const X& base, const Y& exponent) { return applied<power_op>(base, exponent); }

}  // namespace mor1e::ops
