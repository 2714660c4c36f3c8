// Functions of one element, gates, sums and products of matrices of one shape.
#pragma once

#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// y = f(x)
template <class F, class T>
void map_forward(reference&, F, view<const T> x, view<T> y) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = F::f(x(i, j));
}

/// dx = dy f'(x) + beta dx
template <class F, class T>
void map_backward(reference&, F, view<const T> x, view<const T> dy, T beta, view<T> dx) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) dx(i, j) = blend(dy(i, j) * F::df(x(i, j), F::f(x(i, j))), beta, dx(i, j));
}

/// x = [gate | up]: y = f(gate) up
template <class F, class T>
void gated_forward(reference&, F, view<const T> x, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = F::f(x(i, j)) * x(i, y.cols + j);
}

/// dx = [dy up f'(gate) | dy f(gate)] + beta dx
template <class F, class T>
void gated_backward(reference&, F, view<const T> x, view<const T> dy, T beta, view<T> dx) {
  const index_t n = dy.cols;
  for (index_t i = 0; i < dy.rows; ++i)
    for (index_t j = 0; j < n; ++j) {
      const T a = F::f(x(i, j));
      dx(i, j) = blend(dy(i, j) * x(i, n + j) * F::df(x(i, j), a), beta, dx(i, j));
      dx(i, n + j) = blend(dy(i, j) * a, beta, dx(i, n + j));
    }
}

/// y = a + b
template <class T>
void add(reference&, view<const T> a, view<const T> b, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = a(i, j) + b(i, j);
}

/// y = alpha x + beta y
template <class T>
void axpby(reference&, T alpha, view<const T> x, T beta, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = blend(alpha * x(i, j), beta, y(i, j));
}

}  // namespace mor1e::backend
