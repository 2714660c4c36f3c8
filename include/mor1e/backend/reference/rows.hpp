// Sums, copies and gathers of rows.
#pragma once

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

}  // namespace mor1e::backend
