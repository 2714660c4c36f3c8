// Sums, copies and gathers of rows.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mor1e/backend/cpu/row_loops.hpp"

namespace mor1e::backend {

/// y_ij += b_j
template <class T>
void add_bias(cpu& device, view<const T> b, view<T> y) {
  parallel_rows(device, y.rows, y.cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) {
      T* to = y.row(i);
#pragma omp simd
      for (index_t j = 0; j < y.cols; ++j) to[j] += b.data[j];
    }
  });
}

/// s_j = sum_i x_ij + beta s_j. Threads share the columns, so the sum does not depend on their number.
template <class T>
void column_sums(cpu& device, view<const T> x, T beta, view<T> s) {
  parallel_for(device.threads(), x.cols, 64, [&](index_t begin, index_t end) {
    for (index_t j = begin; j < end; ++j) s[j] = beta == T(0) ? T(0) : beta * s[j];
    for (index_t i = 0; i < x.rows; ++i) {
      const T* from = x.row(i);
#pragma omp simd
      for (index_t j = begin; j < end; ++j) s.data[j] += from[j];
    }
  });
}

/// y += alpha x
template <class T>
void add_scaled(cpu& device, T alpha, view<const T> x, view<T> y) {
  parallel_rows(device, y.rows, y.cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) {
      const T* from = x.row(i);
      T* to = y.row(i);
#pragma omp simd
      for (index_t j = 0; j < y.cols; ++j) to[j] += alpha * from[j];
    }
  });
}

/// y = beta y
template <class T>
void scale_rows(cpu& device, T beta, view<T> y) {
  if (beta == T(1)) return;
  each_row(device, y.rows, y.cols, [&](index_t i) { write_row(y.row(i), y.cols, beta, [](index_t) { return T(0); }); });
}

/// y_i = alpha x_index[i]; a negative index gives a row of zeros. Throws a value_error for one past the end of x.
template <class T>
void gather_rows(cpu& device, T alpha, view<const T> x, view<const std::int32_t> index, view<T> y) {
  check_index("gather_rows", index, x.rows);
  each_row(device, y.rows, y.cols, [&](index_t i) {
    if (index[i] < 0) return void(std::fill_n(y.row(i), y.cols, T(0)));
    const T* from = x.row(index[i]);
    write_row(y.row(i), y.cols, T(0), [=](index_t j) { return alpha * from[j]; });
  });
}

/// dx_index[i] += alpha dy_i in the order of i, after dx = beta dx. Threads share the columns, so that order is kept.
template <class T>
void scatter_rows(cpu& device, T alpha, view<const T> dy, view<const std::int32_t> index, T beta, view<T> dx) {
  check_index("scatter_rows", index, dx.rows);
  scale_rows(device, beta, dx);
  parallel_for(device.threads(), dx.cols, 64, [&](index_t begin, index_t end) {
    for (index_t i = 0; i < dy.rows; ++i)
      if (index[i] >= 0) {
        const T* from = dy.row(i) + begin;
        write_row(dx.row(index[i]) + begin, end - begin, T(1), [=](index_t j) { return alpha * from[j]; });
      }
  });
}

/// The same as gather_rows, from a frozen table.
template <class T>
void frozen_gather(cpu& device, T alpha, const host_frozen<T>& table, view<const std::int32_t> index, view<T> y) {
  gather_rows(device, alpha, table.values(), index, y);
}

/// y = value
template <class T>
void fill(cpu&, T value, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i) std::fill(y.row(i), y.row(i) + y.cols, value);
}

}  // namespace mor1e::backend
