// Mean squared error.
#pragma once

#include "mor1e/ops/mean_loss.hpp"

namespace mor1e::ops {

/// y = mean (x_ij - t_ij)^2; dx = 2 dy (x - t) / (T n), dt = -dx                     x, t [T, n] -> y [1, 1]
struct mse_loss_op : mean_loss<mse_loss_op> {
  static constexpr const char* label = "mse_loss";

  template <class T>
  MOR1E_HD static T f(T x, T t) {
    return (x - t) * (x - t);
  }
  template <class T>
  MOR1E_HD static T dx(T x, T t) {
    return T(2) * (x - t);
  }
  template <class T>
  MOR1E_HD static T dt(T x, T t) {
    return T(2) * (t - x);
  }
};

template <class B, class T>
var<T> mse_loss(tape<B>& t, var<T> x, var<T> target) {
  return t.template apply<mse_loss_op, T>({}, {x, target});
}

template <class X, class Y>
requires ValueOperands<X, Y>
auto mse_loss(const X& x, const Y& target) { return applied<mse_loss_op>(x, target); }

}  // namespace mor1e::ops
