// The largest element of a matrix, of each column or of each row.
#pragma once

#include <cstdint>

#include "mor1e/backend/reference/elementwise.hpp"

namespace mor1e::backend {

/// y = the largest element of sign x, times sign: the smallest for sign = -1. The shape of y says of what: [1, 1] of
/// all, [1, cols] of each column, [rows, 1] of each row, none of them empty. `at` is its place in row-major order; of
/// equal elements it is the first, and the first NaN, if there is one, counts as the largest.
template <class T>
void largest(reference&, T sign, view<const T> x, view<T> y, view<std::int64_t> at) {
  for (index_t i = 0; i < y.size(); ++i) at[i] = -1;
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) {
      const index_t to = y.cols > 1 ? j : (y.rows > 1 ? i : 0);
      if (at[to] < 0 || exceeds(sign * x(i, j), sign * y[to])) y[to] = x(i, j), at[to] = i * x.cols + j;
    }
}

/// dx = beta dx, then dx at place k += dy_k; no place occurs twice
template <class T>
void scatter_elements(reference& device, view<const T> dy, view<const std::int64_t> at, T beta, view<T> dx) {
  rescale(device, beta, dx);
  for (index_t k = 0; k < dy.size(); ++k) dx(at[k] / dx.cols, at[k] % dx.cols) += dy[k];
}

}  // namespace mor1e::backend
