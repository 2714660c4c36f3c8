// Norms of the rows of an updated weight, and columns scaled to other norms.
#pragma once

#include <cmath>

#include "mor1e/backend/cpu/row_loops.hpp"

namespace mor1e::backend {

/// n_o = sqrt(squares_o + sum_k u_ok d_ko); 1 for a row of zeros, which no division by it changes
template <class T>
void updated_row_norms(cpu& device, view<const T> squares, view<const T> u, view<const T> d, view<T> n) {
  each_row(device, n.cols, 8 * u.cols + 1, [&](index_t o) {
    double sum = double(squares[o]);
    for (index_t k = 0; k < u.cols; ++k) sum += double(u(o, k)) * double(d(k, o));
    n[o] = sum > 0 ? std::sqrt(T(sum)) : T(1);
  });
}

/// y_ij = x_ij m_j / n_j + beta y_ij
template <class T>
void scale_columns(cpu& device, view<const T> m, view<const T> n, view<const T> x, T beta, view<T> y) {
  each_row(device, y.rows, y.cols, [&](index_t i) {
    const T *from = x.row(i), *p = m.data, *q = n.data;
    write_row(y.row(i), y.cols, beta, [=](index_t j) { return from[j] * (p[j] / q[j]); });
  });
}

/// dm_j = sum_i dy_ij x_ij / n_j + beta dm_j
template <class T>
void scale_columns_gradient(cpu& device, view<const T> n, view<const T> x, view<const T> dy, T beta, view<T> dm) {
  accumulate_rows(device, x.rows, beta, dm, [&](index_t i) {
    return [from = x.row(i), g = dy.row(i), norm = n.data](index_t j) { return g[j] * from[j] / norm[j]; };
  });
}

}  // namespace mor1e::backend
