// Routing of tokens to experts: choices, capacity, weights, means over groups.
#pragma once

#include <cmath>
#include <cstdint>

#include "mor1e/backend/cpu/rows.hpp"
#include "mor1e/backend/routing.hpp"

namespace mor1e::backend {

/// y_j = w_expert(j) h_product(j)
template <class T>
void expert_slots_forward(cpu& device, const expert_slots_shape& s, view<const T> w, view<const T> h, view<T> y) {
  const index_t experts = s.experts, rank = s.rank;
  each_row(device, y.rows, y.cols, [&](index_t i) {
    const T *weight = w.row(i), *from = h.row(i);
    T* to = y.row(i);
    if (s.order == slot_order::tiled) {
      for (index_t k = 0; k < rank; ++k)
        write_row(to + k * experts, experts, T(0), [=, f = from + k * experts](index_t e) { return weight[e] * f[e]; });
    } else {
      const index_t step = s.order == slot_order::shared ? 0 : rank;
      for (index_t e = 0; e < experts; ++e)
        write_row(to + e * rank, rank, T(0), [we = weight[e], f = from + e * step](index_t k) { return we * f[k]; });
    }
  });
}

/// dw_e = sum over its slots of dy_j h_product(j), dh likewise with the weights; where their views are not empty.
template <class T>
void expert_slots_backward(cpu& device, const expert_slots_shape& s, view<const T> w, view<const T> h, view<const T> dy,
                           T beta_w, view<T> dw, T beta_h, view<T> dh) {
  const index_t experts = s.experts, rank = s.rank;
  const bool tiled = s.order == slot_order::tiled, shared = s.order == slot_order::shared;
  each_row(device, dy.rows, 2 * dy.cols, [&](index_t i) {
    const T *weight = w.row(i), *from = h.row(i), *d = dy.row(i);
    if (!dw.empty()) {
      T* to = dw.row(i);
      if (tiled) {
        for (index_t k = 0; k < rank; ++k)
          write_row(to, experts, k == 0 ? beta_w : T(1),
                    [p = d + k * experts, q = from + k * experts](index_t e) { return p[e] * q[e]; });
      } else {
        for (index_t e = 0; e < experts; ++e) {
          const T sum = sum_row<T>(
              rank, [p = d + e * rank, q = from + (shared ? 0 : e * rank)](index_t k) { return p[k] * q[k]; });
          to[e] = blend(sum, beta_w, to[e]);
        }
      }
    }
    if (!dh.empty()) {
      T* to = dh.row(i);
      if (tiled) {
        for (index_t k = 0; k < rank; ++k)
          write_row(to + k * experts, experts, beta_h,
                    [=, p = d + k * experts](index_t e) { return p[e] * weight[e]; });
      } else {
        for (index_t e = 0; e < experts; ++e)
          write_row(to + (shared ? 0 : e * rank), rank, shared && e > 0 ? T(1) : beta_h,
                    [p = d + e * rank, we = weight[e]](index_t k) { return p[k] * we; });
      }
    }
  });
}

/// 1 at the k largest of each row, of equals the first; 0 elsewhere and in dead rows. An element is one of them if
/// fewer than k come before it: no branch, unlike k searches.
template <class T>
void top_k_mask(cpu& device, int k, view<const T> x, view<const std::int32_t> instances, view<T> y) {
  each_row(device, x.rows, x.cols * x.cols, [&](index_t i) {
    const T* from = x.row(i);
    for (index_t j = 0; j < x.cols; ++j) {
      const T own = from[j];
      int before = 0;
#pragma omp simd reduction(+ : before)
      for (index_t l = 0; l < x.cols; ++l) before += int(from[l] > own) | (int(from[l] == own) & int(l < j));
      y(i, j) = instances[i] >= 0 && before < k ? T(1) : T(0);
    }
  });
}

/// Of the chosen (1) in each column and group, the first C = ceil(factor choices S / experts) in the order of rows
/// stay, S being the live rows of the group. `counts` [rows, experts + 1] is workspace. One thread: who comes first
/// counts.
template <class T>
void capacity_mask(cpu& device, const capacity_shape& s, view<const T> chosen, view<const std::int32_t> instances,
                   view<T> y, view<T> counts) {
  assert_indices(instances, counts.rows);
  fill(device, T(0), counts);
  for (index_t i = 0; i < y.rows; ++i)
    if (const index_t g = group_of(s.group, instances, i); g >= 0) counts(g, y.cols) += 1;
  for (index_t i = 0; i < y.rows; ++i) {
    const index_t g = group_of(s.group, instances, i);
    T* to = y.row(i);
    if (g < 0) {
      std::fill_n(to, y.cols, T(0));
      continue;
    }
    const T room = T(std::ceil(s.factor * s.choices * double(counts(g, y.cols)) / double(y.cols)));
    T* used = counts.row(g);
    const T* from = chosen.row(i);
#pragma omp simd
    for (index_t e = 0; e < y.cols; ++e) {
      to[e] = from[e] != T(0) && used[e] < room ? T(1) : T(0);
      used[e] += to[e];
    }
  }
}

/// y_i = mean of x over the live rows of i's group, + beta y_i; zeros for a dead row. `sums` [rows, columns + 1] is
/// workspace. The sums are taken by one thread: a few numbers a row, in one order.
template <class T>
void group_mean(cpu& device, token_group group, view<const T> x, view<const std::int32_t> instances, T beta, view<T> y,
                view<T> sums) {
  assert_indices(instances, sums.rows);
  fill(device, T(0), sums);
  for (index_t i = 0; i < x.rows; ++i)
    if (const index_t g = group_of(group, instances, i); g >= 0) {
      write_row(sums.row(g), x.cols, T(1), [from = x.row(i)](index_t j) { return from[j]; });
      sums(g, x.cols) += 1;
    }
  each_row(device, y.rows, y.cols, [&](index_t i) {
    const index_t g = group_of(group, instances, i);
    if (g < 0) return write_row(y.row(i), y.cols, beta, [](index_t) { return T(0); });
    write_row(y.row(i), y.cols, beta, [from = sums.row(g), n = sums(g, x.cols)](index_t j) { return from[j] / n; });
  });
}

/// y = x / sum x of each row, x >= 0; zeros where the sum is 0
template <class T>
void normalise_sum_forward(cpu& device, view<const T> x, view<T> y) {
  each_row(device, x.rows, x.cols, [&](index_t i) {
    const T* from = x.row(i);
    const T sum = sum_row<T>(x.cols, [=](index_t j) { return from[j]; });
    if (sum > 0)
      write_row(y.row(i), y.cols, T(0), [=](index_t j) { return from[j] / sum; });
    else
      std::fill_n(y.row(i), y.cols, T(0));
  });
}

/// dx = (dy - <dy, y>) / sum x + beta dx
template <class T>
void normalise_sum_backward(cpu& device, view<const T> x, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  each_row(device, x.rows, 2 * x.cols, [&](index_t i) {
    const T *from = x.row(i), *p = y.row(i), *d = dy.row(i);
    const T sum = sum_row<T>(x.cols, [=](index_t j) { return from[j]; }),
            dot = sum_row<T>(x.cols, [=](index_t j) { return d[j] * p[j]; });
    if (sum > 0)
      write_row(dx.row(i), dx.cols, beta, [=](index_t j) { return (d[j] - dot) / sum; });
    else
      write_row(dx.row(i), dx.cols, beta, [](index_t) { return T(0); });
  });
}

/// y_ij = max(x_ij - s_i, 0)
template <class T>
void excess_forward(cpu& device, view<const T> x, view<const T> s, view<T> y) {
  each_row(device, x.rows, x.cols, [&](index_t i) {
    write_row(y.row(i), y.cols, T(0),
              [from = x.row(i), at = s[i]](index_t j) { return from[j] > at ? from[j] - at : T(0); });
  });
}

/// dx_ij = dy_ij where y_ij > 0, ds_i = -sum of these; where their views are not empty
template <class T>
void excess_backward(cpu& device, view<const T> y, view<const T> dy, T beta_x, view<T> dx, T beta_s, view<T> ds) {
  each_row(device, y.rows, y.cols, [&](index_t i) {
    const auto passed = [p = y.row(i), d = dy.row(i)](index_t j) { return p[j] > 0 ? d[j] : T(0); };
    if (!dx.empty()) write_row(dx.row(i), dx.cols, beta_x, passed);
    if (!ds.empty()) ds[i] = blend(-sum_row<T>(y.cols, passed), beta_s, ds[i]);
  });
}

/// y_i = log sum_j exp x_ij
template <class T>
void log_sum_exp_forward(cpu& device, view<const T> x, view<T> y) {
  each_row(device, x.rows, 4 * x.cols, [&](index_t i) {
    const T* from = x.row(i);
    const T largest = row_max(from, x.cols);
    y[i] = largest + std::log(sum_row<T>(x.cols, [=](index_t j) { return math::exp(from[j] - largest); }));
  });
}

/// dx_ij = dy_i exp(x_ij - y_i) + beta dx_ij
template <class T>
void log_sum_exp_backward(cpu& device, view<const T> x, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  each_row(device, x.rows, 4 * x.cols, [&](index_t i) {
    write_row(dx.row(i), dx.cols, beta,
              [from = x.row(i), at = y[i], d = dy[i]](index_t j) { return d * math::exp(from[j] - at); });
  });
}

}  // namespace mor1e::backend
