// Sums, copies and gathers of rows.
#pragma once

#include <cstdint>

#include "mor1e/backend/cpu/device.hpp"

namespace mor1e::backend {

/// y_ij += b_j
template <class T>
void add_bias(cpu& device, view<const T> b, view<T> y) {
  parallel_rows(device, y.rows, y.cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) {
      T* to = y.row(i);
#pragma omp simd
      for (index_t j = 0; j < y.cols; ++j) to[j] += b.data[j];
    }
  });
}

/// s_j = sum_i x_ij + beta s_j. Threads share the columns, so the sum does not depend on their number.
template <class T>
void column_sums(cpu& device, view<const T> x, T beta, view<T> s) {
  parallel_for(device.threads(), x.cols, 64, [&](index_t begin, index_t end) {
    for (index_t j = begin; j < end; ++j) s[j] = beta == T(0) ? T(0) : beta * s[j];
    for (index_t i = 0; i < x.rows; ++i) {
      const T* from = x.row(i);
#pragma omp simd
      for (index_t j = begin; j < end; ++j) s.data[j] += from[j];
    }
  });
}

/// y += alpha x
template <class T>
void add_scaled(cpu& device, T alpha, view<const T> x, view<T> y) {
  parallel_rows(device, y.rows, y.cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) {
      const T* from = x.row(i);
      T* to = y.row(i);
#pragma omp simd
      for (index_t j = 0; j < y.cols; ++j) to[j] += alpha * from[j];
    }
  });
}

}  // namespace mor1e::backend
