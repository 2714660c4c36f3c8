// Softmax of each row.
#pragma once

#include "mor1e/backend/cpu/device.hpp"
#include "mor1e/core/math.hpp"

namespace mor1e::backend {

/// y = exp(x - max x) / sum
template <class T>
void softmax_forward(cpu& device, view<const T> x, view<T> y) {
  parallel_rows(device, x.rows, 4 * x.cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) {
      const T* from = x.row(i);
      T* to = y.row(i);
      T largest = from[0], sum = 0;
#pragma omp simd reduction(max : largest)
      for (index_t j = 0; j < x.cols; ++j) largest = from[j] > largest ? from[j] : largest;
#pragma omp simd reduction(+ : sum)
      for (index_t j = 0; j < x.cols; ++j) {
        const T e = math::exp(from[j] - largest);
        to[j] = e;
        sum += e;
      }
      const T scale = 1 / sum;
#pragma omp simd
      for (index_t j = 0; j < x.cols; ++j) to[j] *= scale;
    }
  });
}

/// dx = y * (dy - <dy, y>) + beta dx
template <class T>
void softmax_backward(cpu& device, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  parallel_rows(device, y.rows, y.cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) {
      const T *p = y.row(i), *g = dy.row(i);
      T* to = dx.row(i);
      T dot = 0;
#pragma omp simd reduction(+ : dot)
      for (index_t j = 0; j < y.cols; ++j) dot += g[j] * p[j];
      if (beta == T(0)) {
#pragma omp simd
        for (index_t j = 0; j < y.cols; ++j) to[j] = p[j] * (g[j] - dot);
      } else {
#pragma omp simd
        for (index_t j = 0; j < y.cols; ++j) to[j] = p[j] * (g[j] - dot) + beta * to[j];
      }
    }
  });
}

}  // namespace mor1e::backend
