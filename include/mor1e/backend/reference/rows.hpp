// Sums, copies and gathers of rows.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mor1e/backend/reference/device.hpp"

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
    s[j] = sum + (beta == T(0) ? T(0) : beta * s[j]);
  }
}

/// y += alpha x
template <class T>
void add_scaled(reference&, T alpha, view<const T> x, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) += alpha * x(i, j);
}

/// y_i = alpha x_index[i]; a negative index gives a row of zeros. Throws a value_error for one past the end of x.
template <class T>
void gather_rows(reference&, T alpha, view<const T> x, view<const std::int32_t> index, view<T> y) {
  check_index("gather_rows", index, x.rows);
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = index[i] < 0 ? T(0) : alpha * x(index[i], j);
}

/// dx_index[i] += alpha dy_i in the order of i, after dx = beta dx
template <class T>
void scatter_rows(reference&, T alpha, view<const T> dy, view<const std::int32_t> index, T beta, view<T> dx) {
  check_index("scatter_rows", index, dx.rows);
  for (index_t r = 0; r < dx.rows; ++r)
    for (index_t j = 0; j < dx.cols; ++j) dx(r, j) = blend(T(0), beta, dx(r, j));
  for (index_t i = 0; i < dy.rows; ++i)
    for (index_t j = 0; j < dy.cols && index[i] >= 0; ++j) dx(index[i], j) += alpha * dy(i, j);
}

/// The same as gather_rows, from a frozen table.
template <class T>
void frozen_gather(reference& device, T alpha, const host_frozen<T>& table, view<const std::int32_t> index, view<T> y) {
  gather_rows(device, alpha, table.values(), index, y);
}

/// y = value
template <class T>
void fill(reference&, T value, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i) std::fill(y.row(i), y.row(i) + y.cols, value);
}

}  // namespace mor1e::backend
