// Binary cross entropy of logits.
#pragma once

#include "mor1e/ops/mean_loss.hpp"

namespace mor1e::ops {

/// y = mean -(t_ij log p_ij + (1 - t_ij) log(1 - p_ij)), p = sigmoid(x), targets t in [0, 1], without overflow;
/// dx = dy (p - t) / (T n), dt = -dy x / (T n)                                             x, t [T, n] -> y [1, 1]
struct binary_cross_entropy_with_logits_op : mean_loss<binary_cross_entropy_with_logits_op> {
  static constexpr const char* label = "binary_cross_entropy_with_logits";

  template <class T>
  MOR1E_HD static T f(T x, T t) {
    const T size = x < T(0) ? -x : x;
    return (x < T(0) ? T(0) : x) - x * t + math::log(T(1) + math::exp(-size));
  }
  template <class T>
  MOR1E_HD static T dx(T x, T t) {
    return math::sigmoid(x) - t;
  }
  template <class T>
  MOR1E_HD static T dt(T x, T) {
    return -x;
  }

  static std::vector<op_case<binary_cross_entropy_with_logits_op>> cases() {
    auto out = cases_on(-4, 4, 0, 1);
    out.push_back({.name = "far", .inputs = {{3, 7, -300, 300}, {3, 7, 0, 1}}});
    return out;
  }
};

template <class B, class T>
var<T> binary_cross_entropy_with_logits(tape<B>& t, var<T> logits, var<T> targets) {
  return t.template apply<binary_cross_entropy_with_logits_op, T>({}, {logits, targets});
}

template <class X, class Y>
requires ValueOperands<X, Y>
auto binary_cross_entropy_with_logits(const X& logits, const Y& targets) {
  return applied<binary_cross_entropy_with_logits_op>(logits, targets);
}

}  // namespace mor1e::ops
