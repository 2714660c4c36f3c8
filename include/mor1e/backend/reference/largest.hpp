// The largest element of a matrix, of each column or of each row.
#pragma once

#include <vector>

#include "mor1e/backend/reference/elementwise.hpp"

namespace mor1e::backend {

/// y = the largest element of sign x, times sign: the smallest for sign = -1. The shape of y says of what: [1, 1] of
/// all, [1, cols] of each column, [rows, 1] of each row, none of them empty. NaN if one is NaN.
template <class T>
void largest(reference&, T sign, view<const T> x, view<T> y) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) {
      T& best = y(y.rows == 1 ? 0 : i, y.cols == 1 ? 0 : j);
      const bool first = (y.rows > 1 || i == 0) && (y.cols > 1 || j == 0);
      if (first || exceeds(sign * x(i, j), sign * best)) best = x(i, j);
    }
}

/// dx = beta dx, then dy is added at the first element of x that is y, y being as above
template <class T>
void largest_backward(reference& device, view<const T> x, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  rescale(device, beta, dx);
  std::vector<bool> found(std::size_t(y.size()), false);
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) {
      const index_t k = y.cols > 1 ? j : (y.rows > 1 ? i : 0);
      if (found[std::size_t(k)] || !same(x(i, j), y[k])) continue;
      found[std::size_t(k)] = true;
      dx(i, j) += dy[k];
    }
}

}  // namespace mor1e::backend
