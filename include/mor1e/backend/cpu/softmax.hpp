// Softmax of each row, and its logarithm.
#pragma once

#include <cmath>

#include "mor1e/backend/cpu/row_loops.hpp"

namespace mor1e::backend {

/// y = exp(x - max x) / sum
template <class T>
void softmax_forward(cpu& device, view<const T> x, view<T> y) {
  each_row(device, x.rows, 4 * x.cols, [&](index_t i) {
    T* to = y.row(i);
    const T scale = 1 / exp_row(x.row(i), row_max(x.row(i), x.cols), to, x.cols);
    write_row(to, y.cols, T(0), [=](index_t j) { return to[j] * scale; });
  });
}

/// dx = y * (dy - <dy, y>) + beta dx
template <class T>
void softmax_backward(cpu& device, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  each_row(device, y.rows, y.cols, [&](index_t i) {
    const T *p = y.row(i), *g = dy.row(i);
    const T dot = sum_row<T>(y.cols, [=](index_t j) { return g[j] * p[j]; });
    write_row(dx.row(i), dx.cols, beta, [=](index_t j) { return p[j] * (g[j] - dot); });
  });
}

/// y = x - log sum_j exp(x_ij)
template <class T>
void log_softmax_forward(cpu& device, view<const T> x, view<T> y) {
  each_row(device, x.rows, 4 * x.cols, [&](index_t i) {
    const T *from = x.row(i), largest = row_max(from, x.cols);
    const T lse = largest + std::log(sum_row<T>(x.cols, [=](index_t j) { return math::exp(from[j] - largest); }));
    write_row(y.row(i), y.cols, T(0), [=](index_t j) { return from[j] - lse; });
  });
}

/// dx = dy - exp(y) sum_j dy_ij + beta dx
template <class T>
void log_softmax_backward(cpu& device, view<const T> y, view<const T> dy, T beta, view<T> dx) {
  each_row(device, y.rows, 4 * y.cols, [&](index_t i) {
    const T *p = y.row(i), *g = dy.row(i);
    const T sum = sum_row<T>(y.cols, [=](index_t j) { return g[j]; });
    write_row(dx.row(i), dx.cols, beta, [=](index_t j) { return g[j] - math::exp(p[j]) * sum; });
  });
}

}  // namespace mor1e::backend
