// Cross entropy of rows of logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// s = one over the number of targets that are not negative, 0 without any
template <class T>
void target_share(reference&, view<const std::int32_t> targets, view<T> s) {
  const auto counted = std::count_if(targets.data, targets.data + targets.rows, [](auto t) { return t >= 0; });
  s[0] = counted ? T(1) / T(counted) : T(0);
}

/// lse_i = log sum_j exp(x_ij); nll_i = lse_i - x_i,target. A row with a negative target is ignored: nll_i = 0.
/// No target is past the last column.
template <class T>
void cross_entropy_forward(reference&, view<const T> x, view<const std::int32_t> targets, view<T> nll, view<T> lse) {
  assert_indices(targets, x.cols);
  for (index_t i = 0; i < x.rows; ++i) {
    T largest = x(i, 0), sum = 0;
    for (index_t j = 1; j < x.cols; ++j) largest = x(i, j) > largest ? x(i, j) : largest;
    for (index_t j = 0; j < x.cols; ++j) sum += std::exp(x(i, j) - largest);
    lse[i] = largest + std::log(sum);
    nll[i] = targets[i] < 0 ? T(0) : lse[i] - x(i, targets[i]);
  }
}

/// dx_ij = s (exp(x_ij - lse_i) - [j = target_i]) + beta dx_ij, s [1, 1]; an ignored row adds nothing.
template <class T>
void cross_entropy_backward(reference&, view<const T> x, view<const std::int32_t> targets, view<const T> lse,
                            view<const T> s, T beta, view<T> dx) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) {
      const T off = targets[i] < 0 ? T(0) : std::exp(x(i, j) - lse[i]) - T(j == targets[i]);
      dx(i, j) = blend(s[0] * off, beta, dx(i, j));
    }
}

/// nll as above, and the gradient of its sum, softmax(x) - onehot(target), in place of x.
template <class T>
void cross_entropy_in_place(reference& device, view<const std::int32_t> targets, view<T> x, view<T> nll) {
  assert_indices(targets, x.cols);
  for (index_t i = 0; i < x.rows; ++i) {
    T lse, one = 1;
    const view<T> row = x.row_range(i, 1);
    cross_entropy_forward(device, view<const T>(row), targets.row_range(i, 1), nll.row_range(i, 1),
                          view<T>(&lse, 1, 1));
    cross_entropy_backward(device, view<const T>(row), targets.row_range(i, 1), view<const T>(&lse, 1, 1),
                           view<const T>(&one, 1, 1), T(0), row);
  }
}

}  // namespace mor1e::backend
