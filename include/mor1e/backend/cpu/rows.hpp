// Sums, copies and gathers of rows.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mor1e/backend/cpu/elementwise.hpp"

namespace mor1e::backend {

/// y_ij += b_j
template <class T>
void add_bias(cpu& device, view<const T> b, view<T> y) {
  each_row(device, y.rows, y.cols,
           [&](index_t i) { write_row(y.row(i), y.cols, T(1), [from = b.data](index_t j) { return from[j]; }); });
}

/// s_j = sum_i x_ij + beta s_j
template <class T>
void column_sums(cpu& device, view<const T> x, T beta, view<T> s) {
  accumulate_rows(device, x.rows, beta, s, [&](index_t i) { return [from = x.row(i)](index_t j) { return from[j]; }; });
}

/// y_i = alpha x_index[i]; a negative index gives a row of zeros, none is past the end of x.
template <class T>
void gather_rows(cpu& device, T alpha, view<const T> x, view<const std::int32_t> index, view<T> y) {
  assert_indices(index, x.rows);
  each_row(device, y.rows, y.cols, [&](index_t i) {
    if (index[i] < 0) return void(std::fill_n(y.row(i), y.cols, T(0)));
    const T* from = x.row(index[i]);
    write_row(y.row(i), y.cols, T(0), [=](index_t j) { return alpha * from[j]; });
  });
}

/// dx_index[i] += alpha dy_i in the order of i, after dx = beta dx. Threads share the columns, so that order is kept.
template <class T>
void scatter_rows(cpu& device, T alpha, view<const T> dy, view<const std::int32_t> index, T beta, view<T> dx) {
  assert_indices(index, dx.rows);
  rescale(device, beta, dx);
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
  if (!table.is_stored()) return gather_rows(device, alpha, table.values(), index, y);
  assert_indices(index, table.rows());
  each_row(device, y.rows, y.cols, [&](index_t i) {
    T* row = y.row(i);
    if (index[i] < 0) return void(std::fill_n(row, y.cols, T(0)));
    table.read_rows(index[i], y.row_range(i, 1));
    write_row(row, y.cols, T(0), [=](index_t j) { return alpha * row[j]; });
  });
}

/// y = value
template <class T>
void fill(cpu&, T value, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i) std::fill(y.row(i), y.row(i) + y.cols, value);
}

/// s_i = sum_j x_ij
template <class T>
void row_sums(cpu& device, view<const T> x, view<T> s) {
  each_row(device, x.rows, x.cols,
           [&](index_t i) { s[i] = sum_row<T>(x.cols, [from = x.row(i)](index_t j) { return from[j]; }); });
}

/// y_s = mean of the rows [begin, end) of segment s (columns 0 and 1 of `segments`); zeros for an empty one
template <class T>
void segment_mean_forward(cpu& device, view<const T> x, view<const std::int32_t> segments, view<T> y) {
  assert_row_ranges(segments, x.rows);
  parallel_for(device.threads(), y.cols, 64, [&](index_t first, index_t last) {
    for (index_t s = 0; s < y.rows; ++s) {
      const index_t begin = segments(s, 0), end = segments(s, 1);
      T* to = y.row(s) + first;
      std::fill_n(to, last - first, T(0));
      for (index_t i = begin; i < end; ++i)
        write_row(to, last - first, T(1), [from = x.row(i) + first](index_t j) { return from[j]; });
      if (begin < end) write_row(to, last - first, T(0), [=, n = T(end - begin)](index_t j) { return to[j] / n; });
    }
  });
}

/// dx_i += dy_s / (rows of s) for the rows of each segment, after dx = beta dx. Threads share the columns, as segments
/// may overlap.
template <class T>
void segment_mean_backward(cpu& device, view<const std::int32_t> segments, view<const T> dy, T beta, view<T> dx) {
  rescale(device, beta, dx);
  parallel_for(device.threads(), dx.cols, 64, [&](index_t first, index_t last) {
    for (index_t s = 0; s < dy.rows; ++s) {
      const index_t begin = segments(s, 0), end = segments(s, 1);
      const T n = T(end - begin), *from = dy.row(s) + first;
      for (index_t i = begin; i < end; ++i)
        write_row(dx.row(i) + first, last - first, T(1), [=](index_t j) { return from[j] / n; });
    }
  });
}

}  // namespace mor1e::backend
