// A value held between two bounds.
#pragma once

#include "mor1e/autodiff/value.hpp"
#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

struct clamp_attributes {
  double low = 0, high = 1;
};

/// y = min(max(x, low), high) for low <= high; the gradient is dy where low <= x <= high, else 0. NaN stays NaN.
struct clamp_op : elementwise<clamp_op, clamp_attributes> {
  static constexpr const char* label = "clamp";

  template <class T>
  MOR1E_HD static T f(T x, const attributes& a) {
    return x < T(a.low) ? T(a.low) : (x > T(a.high) ? T(a.high) : x);
  }
  template <class T>
  MOR1E_HD static T df(T x, T, const attributes& a) {
    return x >= T(a.low) && x <= T(a.high) ? T(1) : T(0);
  }

  static std::vector<op_case<clamp_op>> cases() {
    auto out = cases_on(-2, 2, {-0.5, 0.75});
    out.push_back({.name = "inside", .attributes = {-2, 2}, .inputs = {{3, 5}}});
    out.push_back({.name = "outside", .attributes = {-2, 2}, .inputs = {{3, 5, 3, 4}}});
    return out;
  }
};

template <class B, class T>
var<T> clamp(tape<B>& t, var<T> x, double low, double high) {
  return t.template apply<clamp_op, T>({low, high}, {x});
}

template <class B, class T>
value<B, T> clamp(value<B, T> x, double low, double high) {
  return on(x.tape(), clamp(x.tape(), x.var(), low, high));
}

}  // namespace mor1e::ops
