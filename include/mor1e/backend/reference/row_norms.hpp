// Norms of the rows of an updated weight, and columns scaled to other norms.
#pragma once

#include <cmath>

#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// n_o = sqrt(squares_o + sum_k u_ok d_ko); 1 for a row of zeros, which no division by it changes
template <class T>
void updated_row_norms(reference&, view<const T> squares, view<const T> u, view<const T> d, view<T> n) {
  for (index_t o = 0; o < n.cols; ++o) {
    double sum = double(squares[o]);
    for (index_t k = 0; k < u.cols; ++k) sum += double(u(o, k)) * double(d(k, o));
    n[o] = sum > 0 ? std::sqrt(T(sum)) : T(1);
  }
}

/// y_ij = x_ij m_j / n_j + beta y_ij
template <class T>
void scale_columns(reference&, view<const T> m, view<const T> n, view<const T> x, T beta, view<T> y) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = blend(x(i, j) * (m[j] / n[j]), beta, y(i, j));
}

/// dm_j = sum_i dy_ij x_ij / n_j + beta dm_j
template <class T>
void scale_columns_gradient(reference&, view<const T> n, view<const T> x, view<const T> dy, T beta, view<T> dm) {
  for (index_t j = 0; j < x.cols; ++j) {
    T sum = 0;
    for (index_t i = 0; i < x.rows; ++i) sum += dy(i, j) * x(i, j) / n[j];
    dm[j] = blend(sum, beta, dm[j]);
  }
}

}  // namespace mor1e::backend
