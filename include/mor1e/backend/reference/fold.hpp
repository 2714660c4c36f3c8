// Sums and copies along the middle of columns [outer, copies, inner].
#pragma once

#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// y(o, i) = sum_c x(o, c, i) + beta y(o, i) in each row
template <class T>
void fold_columns(reference&, index_t copies, index_t inner, view<const T> x, T beta, view<T> y) {
  for (index_t t = 0; t < y.rows; ++t)
    for (index_t j = 0; j < y.cols; ++j) {
      const index_t first = j / inner * copies * inner + j % inner;
      T sum = 0;
      for (index_t c = 0; c < copies; ++c) sum += x(t, first + c * inner);
      y(t, j) = blend(sum, beta, y(t, j));
    }
}

/// y(o, c, i) = x(o, i) + beta y(o, c, i) in each row
template <class T>
void spread_columns(reference&, index_t copies, index_t inner, view<const T> x, T beta, view<T> y) {
  for (index_t t = 0; t < y.rows; ++t)
    for (index_t j = 0; j < y.cols; ++j) y(t, j) = blend(x(t, j / (copies * inner) * inner + j % inner), beta, y(t, j));
}

}  // namespace mor1e::backend
