// Functions of one element, gates, sums and products of matrices of one shape.
#pragma once

#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// y = f(x)
template <class F, class T>
void map_forward(reference&, F f, view<const T> x, view<T> y) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) y(i, j) = f.f(x(i, j));
}

/// dx = dy f'(x) + beta dx
template <class F, class T>
void map_backward(reference&, F f, view<const T> x, view<const T> dy, T beta, view<T> dx) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) dx(i, j) = blend(dy(i, j) * f.df(x(i, j), f.f(x(i, j))), beta, dx(i, j));
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

/// y = alpha x + beta y
template <class T>
void axpby(reference&, T alpha, view<const T> x, T beta, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = blend(alpha * x(i, j), beta, y(i, j));
}

/// y = beta y; 0 clears whatever y held
template <class T>
void rescale(reference&, T beta, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = blend(T(0), beta, y(i, j));
}

/// y = a b + beta y
template <class T>
void multiply(reference&, view<const T> a, view<const T> b, T beta, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = blend(a(i, j) * b(i, j), beta, y(i, j));
}

/// y = s x + beta y, s [1, 1]
template <class T>
void scale_by(reference&, view<const T> s, view<const T> x, T beta, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = blend(s[0] * x(i, j), beta, y(i, j));
}

/// y_ij = s + beta y_ij for s [1, 1], s_i for s [rows, 1], s_j for s [1, cols]
template <class T>
void broadcast(reference&, view<const T> s, T beta, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = blend(s(s.rows == 1 ? 0 : i, s.cols == 1 ? 0 : j), beta, y(i, j));
}

/// s = sum of all x + beta s, added in double
template <class T>
void sum(reference&, view<const T> x, T beta, view<T> s) {
  double total = 0;
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) total += double(x(i, j));
  s[0] = blend(T(total), beta, s[0]);
}

/// s = sum of all x y + beta s, added in double
template <class T>
void dot(reference&, view<const T> x, view<const T> y, T beta, view<T> s) {
  double total = 0;
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) total += double(x(i, j)) * double(y(i, j));
  s[0] = blend(T(total), beta, s[0]);
}

}  // namespace mor1e::backend
