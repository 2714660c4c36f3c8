// Cross entropy of rows of logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "mor1e/backend/cpu/row_loops.hpp"

namespace mor1e::backend {

/// s = one over the number of targets that are not negative, 0 without any
template <class T>
void target_share(cpu&, view<const std::int32_t> targets, view<T> s) {
  const auto counted = std::count_if(targets.data, targets.data + targets.rows, [](auto t) { return t >= 0; });
  s[0] = counted ? T(1) / T(counted) : T(0);
}

/// lse_i = log sum_j exp(x_ij); nll_i = lse_i - x_i,target. A row with a negative target is ignored: nll_i = 0.
/// No target is past the last column.
template <class T>
void cross_entropy_forward(cpu& device, view<const T> x, view<const std::int32_t> targets, view<T> nll, view<T> lse) {
  assert_indices(targets, x.cols);
  each_row(device, x.rows, 4 * x.cols, [&](index_t i) {
    const T* from = x.row(i);
    const T largest = row_max(from, x.cols);
    lse[i] = largest + std::log(sum_row<T>(x.cols, [=](index_t j) { return math::exp(from[j] - largest); }));
    nll[i] = targets[i] < 0 ? T(0) : lse[i] - from[targets[i]];
  });
}

/// dx_ij = s (exp(x_ij - lse_i) - [j = target_i]) + beta dx_ij, s [1, 1]; an ignored row adds nothing.
template <class T>
void cross_entropy_backward(cpu& device, view<const T> x, view<const std::int32_t> targets, view<const T> lse,
                            view<const T> s, T beta, view<T> dx) {
  const T scale = s[0];
  each_row(device, x.rows, 4 * x.cols, [&](index_t i) {
    const T* from = x.row(i);
    const T shift = lse[i];
    if (targets[i] < 0) return write_row(dx.row(i), dx.cols, beta, [](index_t) { return T(0); });
    write_row(dx.row(i), dx.cols, beta, [=](index_t j) { return scale * math::exp(from[j] - shift); });
    dx(i, targets[i]) -= scale;
  });
}

/// nll as above, and the gradient of its sum, softmax(x) - onehot(target), in place of x: one exponential an element.
template <class T>
void cross_entropy_in_place(cpu& device, view<const std::int32_t> targets, view<T> x, view<T> nll) {
  assert_indices(targets, x.cols);
  each_row(device, x.rows, 4 * x.cols, [&](index_t i) {
    T* row = x.row(i);
    nll[i] = 0;
    if (targets[i] < 0) return void(std::fill_n(row, x.cols, T(0)));
    const T largest = row_max<T>(row, x.cols), right = row[targets[i]];
    const T sum = exp_row<T>(row, largest, row, x.cols), scale = 1 / sum;
    nll[i] = largest + std::log(sum) - right;
    write_row(row, x.cols, T(0), [=](index_t j) { return row[j] * scale; });
    row[targets[i]] -= T(1);
  });
}

}  // namespace mor1e::backend
