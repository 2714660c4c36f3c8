// Sums and copies along the middle of columns [outer, copies, inner].
#pragma once

#include "mor1e/backend/cpu/row_loops.hpp"

namespace mor1e::backend {

/// y(o, i) = sum_c x(o, c, i) + beta y(o, i) in each row
template <class T>
void fold_columns(cpu& device, index_t copies, index_t inner, view<const T> x, T beta, view<T> y) {
  each_row(device, y.rows, x.cols, [&](index_t t) {
    const T* from = x.row(t);
    for (T *to = y.row(t), *end = to + y.cols; to != end; to += inner, from += copies * inner) {
      if (inner == 1) {  // then it is the copies that lie side by side
        const T sum = sum_row<T>(copies, [=](index_t c) { return from[c]; });
        *to = blend(sum, beta, *to);
        continue;
      }
      write_row(to, inner, beta, [=](index_t i) { return from[i]; });
      for (index_t c = 1; c < copies; ++c)
        write_row(to, inner, T(1), [part = from + c * inner](index_t i) { return part[i]; });
    }
  });
}

/// y(o, c, i) = x(o, i) + beta y(o, c, i) in each row
template <class T>
void spread_columns(cpu& device, index_t copies, index_t inner, view<const T> x, T beta, view<T> y) {
  each_row(device, y.rows, y.cols, [&](index_t t) {
    const T* from = x.row(t);
    for (T *to = y.row(t), *end = to + y.cols; to != end; from += inner) {
      if (inner == 1) {
        write_row(to, copies, beta, [value = *from](index_t) { return value; });
        to += copies;
        continue;
      }
      for (index_t c = 0; c < copies; ++c, to += inner) write_row(to, inner, beta, [=](index_t i) { return from[i]; });
    }
  });
}

}  // namespace mor1e::backend
