// A rectifier that lets part of the negative through.
#pragma once

#include "mor1e/autodiff/value.hpp"
#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

struct leaky_relu_attributes {
  double slope = 0.01;
};

/// y = x for x > 0, else slope x; the gradient at 0 is slope.
struct leaky_relu_op : elementwise<leaky_relu_op, leaky_relu_attributes> {
  static constexpr const char* label = "leaky_relu";

  template <class T>
  MOR1E_HD static T f(T x, const attributes& a) {
    return x > T(0) ? x : T(a.slope) * x;
  }
  template <class T>
  MOR1E_HD static T df(T x, T, const attributes& a) {
    return x > T(0) ? T(1) : T(a.slope);
  }

  static std::vector<op_case<leaky_relu_op>> cases() {
    auto out = cases_on(0.1, 4, {0.2});
    out.push_back({.name = "negative", .attributes = {0.2}, .inputs = {{5, 3, -4, -0.1}}});
    return out;
  }
};

template <class B, class T>
var<T> leaky_relu(tape<B>& t, var<T> x, double slope = 0.01) {
  return t.template apply<leaky_relu_op, T>({slope}, {x});
}

template <class B, class T>
value<B, T> leaky_relu(value<B, T> x, double slope = 0.01) {
  return on(x.tape(), leaky_relu(x.tape(), x.var(), slope));
}

}  // namespace mor1e::ops
