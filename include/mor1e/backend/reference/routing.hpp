// Routing of tokens to experts: choices, capacity, weights, means over groups.
#pragma once

#include <cmath>
#include <cstdint>

#include "mor1e/backend/reference/rows.hpp"
#include "mor1e/backend/routing.hpp"

namespace mor1e::backend {

/// y_j = w_expert(j) h_product(j)
template <class T>
void expert_slots_forward(reference&, const expert_slots_shape& s, view<const T> w, view<const T> h, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (int j = 0; j < s.slots(); ++j) y(i, j) = w(i, s.expert(j)) * h(i, s.product(j));
}

/// dw_e = sum over its slots of dy_j h_product(j), dh likewise with the weights; where their views are not empty.
template <class T>
void expert_slots_backward(reference& device, const expert_slots_shape& s, view<const T> w, view<const T> h,
                           view<const T> dy, T beta_w, view<T> dw, T beta_h, view<T> dh) {
  if (!dw.empty()) rescale(device, beta_w, dw);
  if (!dh.empty()) rescale(device, beta_h, dh);
  for (index_t i = 0; i < dy.rows; ++i)
    for (int j = 0; j < s.slots(); ++j) {
      if (!dw.empty()) dw(i, s.expert(j)) += dy(i, j) * h(i, s.product(j));
      if (!dh.empty()) dh(i, s.product(j)) += dy(i, j) * w(i, s.expert(j));
    }
}

/// 1 at the k largest of each row, of equals the first; 0 elsewhere and in dead rows.
template <class T>
void top_k_mask(reference&, int k, view<const T> x, view<const std::int32_t> instances, view<T> y) {
  for (index_t i = 0; i < x.rows; ++i) {
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = 0;
    for (int taken = 0; taken < k && instances[i] >= 0; ++taken) {
      index_t best = 0;
      while (y(i, best) != 0) ++best;
      for (index_t j = best + 1; j < x.cols; ++j)
        if (y(i, j) == 0 && x(i, j) > x(i, best)) best = j;
      y(i, best) = 1;
    }
  }
}

/// Of the chosen (1) in each column and group, the first C = ceil(factor choices S / experts) in the order of rows
/// stay, S being the live rows of the group. `counts` [rows, experts + 1] is workspace.
template <class T>
void capacity_mask(reference& device, const capacity_shape& s, view<const T> chosen, view<const std::int32_t> instances,
                   view<T> y, view<T> counts) {
  assert_indices(instances, counts.rows);
  fill(device, T(0), counts);
  for (index_t i = 0; i < y.rows; ++i)
    if (const index_t g = group_of(s.group, instances, i); g >= 0) counts(g, y.cols) += 1;
  for (index_t i = 0; i < y.rows; ++i) {
    const index_t g = group_of(s.group, instances, i);
    for (index_t e = 0; e < y.cols; ++e) {
      const double room = g < 0 ? 0 : std::ceil(s.factor * s.choices * double(counts(g, y.cols)) / double(y.cols));
      y(i, e) = g >= 0 && chosen(i, e) != 0 && double(counts(g, e)) < room ? 1 : 0;
      if (y(i, e) != 0) counts(g, e) += 1;
    }
  }
}

/// y_i = mean of x over the live rows of i's group, + beta y_i; zeros for a dead row. `sums` [rows, columns + 1] is
/// workspace.
template <class T>
void group_mean(reference& device, token_group group, view<const T> x, view<const std::int32_t> instances, T beta,
                view<T> y, view<T> sums) {
  assert_indices(instances, sums.rows);
  fill(device, T(0), sums);
  for (index_t i = 0; i < x.rows; ++i)
    if (const index_t g = group_of(group, instances, i); g >= 0) {
      for (index_t j = 0; j < x.cols; ++j) sums(g, j) += x(i, j);
      sums(g, x.cols) += 1;
    }
  for (index_t i = 0; i < x.rows; ++i) {
    const index_t g = group_of(group, instances, i);
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = blend(g < 0 ? T(0) : sums(g, j) / sums(g, x.cols), beta, y(i, j));
  }
}

/// y = x / sum x of each row, x >= 0; zeros where the sum is 0
template <class T>
void normalise_sum_forward(reference&, view<const T> x, view<T> y) {
  for (index_t i = 0; i < x.rows; ++i) {
    T sum = 0;
    for (index_t j = 0; j < x.cols; ++j) sum += x(i, j);
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = sum > 0 ? x(i, j) / sum : T(0);
  }
}

/// dx = (dy - <dy, y>) / sum x + beta dx
template <class T>
void normalise_sum_backward(reference&, view<const T> x, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  for (index_t i = 0; i < x.rows; ++i) {
    T sum = 0, dot = 0;
    for (index_t j = 0; j < x.cols; ++j) sum += x(i, j), dot += dy(i, j) * y(i, j);
    for (index_t j = 0; j < x.cols; ++j) dx(i, j) = blend(sum > 0 ? (dy(i, j) - dot) / sum : T(0), beta, dx(i, j));
  }
}

/// y_ij = max(x_ij - s_i, 0)
template <class T>
void excess_forward(reference&, view<const T> x, view<const T> s, view<T> y) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = x(i, j) > s[i] ? x(i, j) - s[i] : T(0);
}

/// dx_ij = dy_ij where y_ij > 0, ds_i = -sum of these; where their views are not empty
template <class T>
void excess_backward(reference&, view<const T> y, view<const T> dy, T beta_x, view<T> dx, T beta_s, view<T> ds) {
  for (index_t i = 0; i < y.rows; ++i) {
    T sum = 0;
    for (index_t j = 0; j < y.cols; ++j) {
      const T d = y(i, j) > 0 ? dy(i, j) : T(0);
      sum += d;
      if (!dx.empty()) dx(i, j) = blend(d, beta_x, dx(i, j));
    }
    if (!ds.empty()) ds[i] = blend(-sum, beta_s, ds[i]);
  }
}

/// y_i = log sum_j exp x_ij
template <class T>
void log_sum_exp_forward(reference&, view<const T> x, view<T> y) {
  for (index_t i = 0; i < x.rows; ++i) {
    T largest = x(i, 0), sum = 0;
    for (index_t j = 1; j < x.cols; ++j) largest = x(i, j) > largest ? x(i, j) : largest;
    for (index_t j = 0; j < x.cols; ++j) sum += std::exp(x(i, j) - largest);
    y[i] = largest + std::log(sum);
  }
}

/// dx_ij = dy_i exp(x_ij - y_i) + beta dx_ij
template <class T>
void log_sum_exp_backward(reference&, view<const T> x, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) dx(i, j) = blend(dy[i] * std::exp(x(i, j) - y[i]), beta, dx(i, j));
}

}  // namespace mor1e::backend
