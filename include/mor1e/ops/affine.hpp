// A fixed multiple and a fixed number.
#pragma once

#include "mor1e/autodiff/value.hpp"
#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

struct affine_attributes {
  double alpha = 1;
  double c = 0;
};

/// y = alpha x + c; dy/dx = alpha. What x + 2 and 1 - x are made of; alpha x alone is ops/scale.hpp.
struct affine_op : elementwise<affine_op, affine_attributes> {
  static constexpr const char* label = "affine";
  static constexpr std::uint64_t backward_reads = 0;

  template <class T>
  MOR1E_HD static T f(T x, const attributes& a) {
    return T(a.alpha) * x + T(a.c);
  }
  template <class T>
  MOR1E_HD static T df(T, T, const attributes& a) {
    return T(a.alpha);
  }

  static std::vector<op_case<affine_op>> cases() {
    auto out = cases_on(-4, 4, {1, 0.5});
    out.push_back({.name = "turned", .attributes = {-1, 2}, .inputs = {{5, 3}}});
    return out;
  }
};

template <class B, class T>
var<T> affine(tape<B>& t, var<T> x, double alpha, double c) {
  return t.template apply<affine_op, T>({alpha, c}, {x});
}

template <class B, class T>
value<B, T> affine(value<B, T> x, double alpha, double c) {
  return on(x.tape(), affine(x.tape(), x.var(), alpha, c));
}

}  // namespace mor1e::ops
