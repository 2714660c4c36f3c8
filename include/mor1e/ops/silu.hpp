// Sigmoid linear unit.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = x sigmoid(x). Source: Elfwing et al. 2017.
struct silu_op : elementwise<silu_op> {
  static constexpr const char *label = "silu", *gated_label = "gated_silu";

  template <class T>
  MOR1E_HD static T f(T x) {
    return x * math::sigmoid(x);
  }
  template <class T>
  MOR1E_HD static T df(T x, T y) {
    const T s = math::sigmoid(x);
    return s + y * (T(1) - s);
  }
};

template <class B, class T>
var<T> silu(tape<B>& t, var<T> x) {
  return t.template apply<silu_op, T>({}, {x});
}

template <class B, class T>
value<B, T> silu(value<B, T> x) {
  return on(x.tape(), silu(x.tape(), x.var()));
}

}  // namespace mor1e::ops
