// Root-mean-square and layer normalisation of each row.
#pragma once

#include <cmath>

#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// rstd = 1 / sqrt(mean x^2 + eps); y = (offset + w) * x * rstd
template <class T>
void rms_norm_forward(reference&, view<const T> x, view<const T> w, T eps, T offset, view<T> y, view<T> rstd) {
  for (index_t i = 0; i < x.rows; ++i) {
    T sum = 0;
    for (index_t j = 0; j < x.cols; ++j) sum += x(i, j) * x(i, j);
    rstd[i] = 1 / std::sqrt(sum / T(x.cols) + eps);
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = (offset + w[j]) * (x(i, j) * rstd[i]);
  }
}

/// With n = x * rstd and g = dy * (offset + w): dx = rstd * (g - n * mean(g n)) + beta dx
template <class T>
void rms_norm_backward(reference&, view<const T> x, view<const T> w, T offset, view<const T> rstd, view<const T> dy, T beta, view<T> dx) {
  for (index_t i = 0; i < x.rows; ++i) {
    T mean = 0;
    for (index_t j = 0; j < x.cols; ++j) mean += dy(i, j) * (offset + w[j]) * x(i, j) * rstd[i];
    mean /= T(x.cols);
    for (index_t j = 0; j < x.cols; ++j)
      dx(i, j) = rstd[i] * (dy(i, j) * (offset + w[j]) - x(i, j) * rstd[i] * mean) + (beta == T(0) ? T(0) : beta * dx(i, j));
  }
}

/// dw = sum over rows of dy * x * rstd, + beta dw
template <class T>
void rms_norm_weight_gradient(reference&, view<const T> x, view<const T> rstd, view<const T> dy, T beta, view<T> dw) {
  for (index_t j = 0; j < x.cols; ++j) {
    T sum = 0;
    for (index_t i = 0; i < x.rows; ++i) sum += dy(i, j) * x(i, j) * rstd[i];
    dw[j] = sum + (beta == T(0) ? T(0) : beta * dw[j]);
  }
}

}  // namespace mor1e::backend
