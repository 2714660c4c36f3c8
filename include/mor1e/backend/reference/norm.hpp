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
void rms_norm_backward(reference&, view<const T> x, view<const T> w, T offset, view<const T> rstd, view<const T> dy,
                       T beta, view<T> dx) {
  for (index_t i = 0; i < x.rows; ++i) {
    T mean = 0;
    for (index_t j = 0; j < x.cols; ++j) mean += dy(i, j) * (offset + w[j]) * x(i, j) * rstd[i];
    mean /= T(x.cols);
    for (index_t j = 0; j < x.cols; ++j)
      dx(i, j) = blend(rstd[i] * (dy(i, j) * (offset + w[j]) - x(i, j) * rstd[i] * mean), beta, dx(i, j));
  }
}

/// dw = sum over rows of dy * x * rstd, + beta dw
template <class T>
void rms_norm_weight_gradient(reference&, view<const T> x, view<const T> rstd, view<const T> dy, T beta, view<T> dw) {
  for (index_t j = 0; j < x.cols; ++j) {
    T sum = 0;
    for (index_t i = 0; i < x.rows; ++i) sum += dy(i, j) * x(i, j) * rstd[i];
    dw[j] = blend(sum, beta, dw[j]);
  }
}

/// rstd = 1 / sqrt(mean (x - mean)^2 + eps); y = w (x - mean) rstd + b
template <class T>
void layer_norm_forward(reference&, view<const T> x, view<const T> w, view<const T> b, T eps, view<T> y, view<T> mean,
                        view<T> rstd) {
  for (index_t i = 0; i < x.rows; ++i) {
    T sum = 0, squares = 0;
    for (index_t j = 0; j < x.cols; ++j) sum += x(i, j);
    mean[i] = sum / T(x.cols);
    for (index_t j = 0; j < x.cols; ++j) squares += (x(i, j) - mean[i]) * (x(i, j) - mean[i]);
    rstd[i] = 1 / std::sqrt(squares / T(x.cols) + eps);
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = w[j] * ((x(i, j) - mean[i]) * rstd[i]) + b[j];
  }
}

/// With n = (x - mean) rstd and g = dy w: dx = rstd (g - mean(g) - n mean(g n)) + beta dx
template <class T>
void layer_norm_backward(reference&, view<const T> x, view<const T> w, view<const T> mean, view<const T> rstd,
                         view<const T> dy, T beta, view<T> dx) {
  for (index_t i = 0; i < x.rows; ++i) {
    T g = 0, gn = 0;
    for (index_t j = 0; j < x.cols; ++j) {
      g += dy(i, j) * w[j];
      gn += dy(i, j) * w[j] * (x(i, j) - mean[i]) * rstd[i];
    }
    for (index_t j = 0; j < x.cols; ++j) {
      const T n = (x(i, j) - mean[i]) * rstd[i];
      dx(i, j) = blend(rstd[i] * (dy(i, j) * w[j] - g / T(x.cols) - n * gn / T(x.cols)), beta, dx(i, j));
    }
  }
}

/// dw = sum over rows of dy (x - mean) rstd, + beta dw
template <class T>
void layer_norm_weight_gradient(reference&, view<const T> x, view<const T> mean, view<const T> rstd, view<const T> dy,
                                T beta, view<T> dw) {
  for (index_t j = 0; j < x.cols; ++j) {
    T sum = 0;
    for (index_t i = 0; i < x.rows; ++i) sum += dy(i, j) * (x(i, j) - mean[i]) * rstd[i];
    dw[j] = blend(sum, beta, dw[j]);
  }
}

/// y = r x, r = 1 / max(|x|, eps)
template <class T>
void normalise_rows_forward(reference&, view<const T> x, T eps, view<T> y, view<T> r) {
  for (index_t i = 0; i < x.rows; ++i) {
    T squares = 0;
    for (index_t j = 0; j < x.cols; ++j) squares += x(i, j) * x(i, j);
    const T length = std::sqrt(squares);
    r[i] = 1 / (length > eps ? length : eps);
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = x(i, j) * r[i];
  }
}

/// dx = r (dy - y <y, dy>) + beta dx, without the second term where |x| < eps
template <class T>
void normalise_rows_backward(reference&, view<const T> y, view<const T> r, T eps, view<const T> dy, T beta,
                             view<T> dx) {
  for (index_t i = 0; i < y.rows; ++i) {
    T dot = 0;
    if (r[i] < 1 / eps)
      for (index_t j = 0; j < y.cols; ++j) dot += y(i, j) * dy(i, j);
    for (index_t j = 0; j < y.cols; ++j) dx(i, j) = blend(r[i] * (dy(i, j) - y(i, j) * dot), beta, dx(i, j));
  }
}

}  // namespace mor1e::backend
