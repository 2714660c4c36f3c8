// Softmax of each row, and its logarithm.
#pragma once

#include <cmath>

#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// y = exp(x - max x) / sum
template <class T>
void softmax_forward(reference&, view<const T> x, view<T> y) {
  for (index_t i = 0; i < x.rows; ++i) {
    T largest = x(i, 0), sum = 0;
    for (index_t j = 1; j < x.cols; ++j) largest = x(i, j) > largest ? x(i, j) : largest;
    for (index_t j = 0; j < x.cols; ++j) sum += y(i, j) = std::exp(x(i, j) - largest);
    for (index_t j = 0; j < x.cols; ++j) y(i, j) /= sum;
  }
}

/// dx = y * (dy - <dy, y>) + beta dx
template <class T>
void softmax_backward(reference&, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  for (index_t i = 0; i < y.rows; ++i) {
    T dot = 0;
    for (index_t j = 0; j < y.cols; ++j) dot += dy(i, j) * y(i, j);
    for (index_t j = 0; j < y.cols; ++j) dx(i, j) = blend(y(i, j) * (dy(i, j) - dot), beta, dx(i, j));
  }
}

/// y = x - log sum_j exp(x_ij)
template <class T>
void log_softmax_forward(reference&, view<const T> x, view<T> y) {
  for (index_t i = 0; i < x.rows; ++i) {
    T largest = x(i, 0), sum = 0;
    for (index_t j = 1; j < x.cols; ++j) largest = x(i, j) > largest ? x(i, j) : largest;
    for (index_t j = 0; j < x.cols; ++j) sum += std::exp(x(i, j) - largest);
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = x(i, j) - (largest + std::log(sum));
  }
}

/// dx = dy - exp(y) sum_j dy_ij + beta dx
template <class T>
void log_softmax_backward(reference&, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  for (index_t i = 0; i < y.rows; ++i) {
    T sum = 0;
    for (index_t j = 0; j < y.cols; ++j) sum += dy(i, j);
    for (index_t j = 0; j < y.cols; ++j) dx(i, j) = blend(dy(i, j) - std::exp(y(i, j)) * sum, beta, dx(i, j));
  }
}

}  // namespace mor1e::backend
