// Mean absolute error.
#pragma once

#include "mor1e/ops/mean_loss.hpp"

namespace mor1e::ops {

/// y = mean |x_ij - t_ij|; dx = dy sign(x - t) / (T n), 0 where they are equal; dt = -dx       x, t [T, n] -> y [1, 1]
struct l1_loss_op : mean_loss<l1_loss_op> {
  static constexpr const char* label = "l1_loss";

  template <class T>
  MOR1E_HD static T f(T x, T t) {
    return x > t ? x - t : t - x;
  }
  template <class T>
  MOR1E_HD static T dx(T x, T t) {
    return T(x > t) - T(x < t);
  }
  template <class T>
  MOR1E_HD static T dt(T x, T t) {
    return T(x < t) - T(x > t);
  }
};

template <class B, class T>
var<T> l1_loss(tape<B>& t, var<T> x, var<T> target) {
  return t.template apply<l1_loss_op, T>({}, {x, target});
}

template <class X, class Y>
requires ValueOperands<X, Y>
auto l1_loss(const X& x, const Y& target) { return applied<l1_loss_op>(x, target); }

}  // namespace mor1e::ops
