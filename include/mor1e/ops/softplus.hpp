// A smooth rectifier.
#pragma once

#include "mor1e/autodiff/value.hpp"
#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

struct softplus_attributes {
  double beta = 1;
};

/// y = log(1 + e^(beta x)) / beta for beta > 0, without overflow; dy/dx = sigmoid(beta x)
struct softplus_op : elementwise<softplus_op, softplus_attributes> {
  static constexpr const char* label = "softplus";

  template <class T>
  MOR1E_HD static T f(T x, const attributes& a) {
    const T z = T(a.beta) * x, size = z < T(0) ? -z : z;
    return ((z < T(0) ? T(0) : z) + math::log(T(1) + math::exp(-size))) / T(a.beta);
  }
  template <class T>
  MOR1E_HD static T df(T x, T, const attributes& a) {
    return math::sigmoid(T(a.beta) * x);
  }

  static std::vector<op_case<softplus_op>> cases() {
    auto out = cases_on(-4, 4, {1});
    out.push_back({.name = "sharp", .attributes = {20}, .inputs = {{5, 3, -2, 2}}});
    out.push_back({.name = "far", .attributes = {2}, .inputs = {{3, 7, -300, 300}}});
    return out;
  }
};

template <class B, class T>
var<T> softplus(tape<B>& t, var<T> x, double beta = 1) {
  return t.template apply<softplus_op, T>({beta}, {x});
}

template <class B, class T>
value<B, T> softplus(value<B, T> x, double beta = 1) {
  return on(x.tape(), softplus(x.tape(), x.var(), beta));
}

}  // namespace mor1e::ops
