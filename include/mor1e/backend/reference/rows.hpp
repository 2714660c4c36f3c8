// Sums, copies and gathers of rows.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mor1e/backend/reference/elementwise.hpp"

namespace mor1e::backend {

/// y_ij += b_j
template <class T>
void add_bias(reference&, view<const T> b, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) += b[j];
}

/// s_j = sum_i x_ij + beta s_j
template <class T>
void column_sums(reference&, view<const T> x, T beta, view<T> s) {
  for (index_t j = 0; j < x.cols; ++j) {
    T sum = 0;
    for (index_t i = 0; i < x.rows; ++i) sum += x(i, j);
    s[j] = blend(sum, beta, s[j]);
  }
}

/// y_i = alpha x_index[i]; a negative index gives a row of zeros, none is past the end of x.
template <class T>
void gather_rows(reference&, T alpha, view<const T> x, view<const std::int32_t> index, view<T> y) {
  assert_indices(index, x.rows);
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = index[i] < 0 ? T(0) : alpha * x(index[i], j);
}

/// dx_index[i] += alpha dy_i in the order of i, after dx = beta dx
template <class T>
void scatter_rows(reference& device, T alpha, view<const T> dy, view<const std::int32_t> index, T beta, view<T> dx) {
  assert_indices(index, dx.rows);
  rescale(device, beta, dx);
  for (index_t i = 0; i < dy.rows; ++i)
    for (index_t j = 0; j < dy.cols && index[i] >= 0; ++j) dx(index[i], j) += alpha * dy(i, j);
}

/// The same as gather_rows, from a frozen table.
template <class T>
void frozen_gather(reference& device, T alpha, const host_frozen<T>& table, view<const std::int32_t> index, view<T> y) {
  if (table.is_stored()) {
    const tensor<T> values = read_frozen(device, table);
    return gather_rows(device, alpha, values.matrix(), index, y);
  }
  gather_rows(device, alpha, table.values(), index, y);
}

/// y = value
template <class T>
void fill(reference&, T value, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i) std::fill(y.row(i), y.row(i) + y.cols, value);
}

/// s_i = sum_j x_ij
template <class T>
void row_sums(reference&, view<const T> x, view<T> s) {
  for (index_t i = 0; i < x.rows; ++i) {
    s[i] = 0;
    for (index_t j = 0; j < x.cols; ++j) s[i] += x(i, j);
  }
}

/// y_s = mean of the rows [begin, end) of segment s (columns 0 and 1 of `segments`); zeros for an empty one
template <class T>
void segment_mean_forward(reference&, view<const T> x, view<const std::int32_t> segments, view<T> y) {
  assert_row_ranges(segments, x.rows);
  for (index_t s = 0; s < y.rows; ++s)
    for (index_t j = 0; j < y.cols; ++j) {
      const index_t begin = segments(s, 0), end = segments(s, 1);
      T sum = 0;
      for (index_t i = begin; i < end; ++i) sum += x(i, j);
      y(s, j) = begin < end ? sum / T(end - begin) : T(0);
    }
}

/// dx_i += dy_s / (rows of s) for the rows of each segment, after dx = beta dx
template <class T>
void segment_mean_backward(reference& device, view<const std::int32_t> segments, view<const T> dy, T beta, view<T> dx) {
  rescale(device, beta, dx);
  for (index_t s = 0; s < dy.rows; ++s)
    for (index_t i = segments(s, 0); i < segments(s, 1); ++i)
      for (index_t j = 0; j < dy.cols; ++j) dx(i, j) += dy(s, j) / T(segments(s, 1) - segments(s, 0));
}

}  // namespace mor1e::backend
