// A fixed power.
#pragma once

#include <cmath>

#include "mor1e/autodiff/value.hpp"
#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

struct pow_attributes {
  double exponent = 2;
};

/// y = x^e; dy/dx = e x^(e - 1), 0 for e = 0. As std::pow: NaN for x < 0 and an e that is no integer. For an exponent
/// that is a value too see ops/power.hpp; square, sqrt and reciprocal are faster.
struct pow_op : elementwise<pow_op, pow_attributes> {
  static constexpr const char* label = "pow";

  template <class T>
  MOR1E_HD static T f(T x, const attributes& a) {
    return std::pow(x, T(a.exponent));
  }
  template <class T>
  MOR1E_HD static T df(T x, T, const attributes& a) {
    return a.exponent == 0 ? T(0) : T(a.exponent) * std::pow(x, T(a.exponent) - T(1));
  }

  static std::vector<op_case<pow_op>> cases() {
    auto out = cases_on(0.5, 4, {1.5});
    out.push_back({.name = "cube", .attributes = {3}, .inputs = {{5, 3, -2, 2}}});
    out.push_back({.name = "inverse_square", .attributes = {-2}, .inputs = {{3, 7, -2, -0.5}}});
    out.push_back({.name = "none", .attributes = {0}, .inputs = {{2, 3, 0, 0}}});
    return out;
  }
};

template <class B, class T>
var<T> pow(tape<B>& t, var<T> x, double exponent) {
  return t.template apply<pow_op, T>({exponent}, {x});
}

template <class B, class T>
value<B, T> pow(value<B, T> x, double exponent) {
  return on(x.tape(), pow(x.tape(), x.var(), exponent));
}

}  // namespace mor1e::ops
