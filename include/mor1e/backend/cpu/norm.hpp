// Root-mean-square and layer normalisation of each row.
#pragma once

#include <cmath>

#include "mor1e/backend/cpu/device.hpp"

namespace mor1e::backend {

/// rstd = 1 / sqrt(mean x^2 + eps); y = (offset + w) * x * rstd
template <class T>
void rms_norm_forward(cpu& device, view<const T> x, view<const T> w, T eps, T offset, view<T> y, view<T> rstd) {
  parallel_rows(device, x.rows, x.cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) {
      const T* from = x.row(i);
      T* to = y.row(i);
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (index_t j = 0; j < x.cols; ++j) sum += from[j] * from[j];
      const T r = rstd[i] = 1 / std::sqrt(sum / T(x.cols) + eps);
#pragma omp simd
      for (index_t j = 0; j < x.cols; ++j) to[j] = (offset + w.data[j]) * (from[j] * r);
    }
  });
}

/// With n = x * rstd and g = dy * (offset + w): dx = rstd * (g - n * mean(g n)) + beta dx
template <class T>
void rms_norm_backward(cpu& device, view<const T> x, view<const T> w, T offset, view<const T> rstd, view<const T> dy, T beta, view<T> dx) {
  parallel_rows(device, x.rows, x.cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) {
      const T *from = x.row(i), *g = dy.row(i);
      T* to = dx.row(i);
      const T r = rstd[i];
      T dot = 0;
#pragma omp simd reduction(+ : dot)
      for (index_t j = 0; j < x.cols; ++j) dot += g[j] * (offset + w.data[j]) * from[j];
      const T mean = dot * r * r / T(x.cols);
      if (beta == T(0)) {
#pragma omp simd
        for (index_t j = 0; j < x.cols; ++j) to[j] = r * (g[j] * (offset + w.data[j]) - from[j] * mean);
      } else {
#pragma omp simd
        for (index_t j = 0; j < x.cols; ++j) to[j] = r * (g[j] * (offset + w.data[j]) - from[j] * mean) + beta * to[j];
      }
    }
  });
}

/// dw = sum over rows of dy * x * rstd, + beta dw. Threads share the columns, so the sum does not depend on their number.
template <class T>
void rms_norm_weight_gradient(cpu& device, view<const T> x, view<const T> rstd, view<const T> dy, T beta, view<T> dw) {
  parallel_for(device.threads(), x.cols, 64, [&](index_t begin, index_t end) {
    for (index_t j = begin; j < end; ++j) dw[j] = beta == T(0) ? T(0) : beta * dw[j];
    for (index_t i = 0; i < x.rows; ++i) {
      const T *from = x.row(i), *g = dy.row(i);
      const T r = rstd[i];
#pragma omp simd
      for (index_t j = begin; j < end; ++j) dw.data[j] += g[j] * from[j] * r;
    }
  });
}

}  // namespace mor1e::backend
