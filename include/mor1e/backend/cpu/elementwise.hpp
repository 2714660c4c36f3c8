// Functions of one element, gates, sums and products of matrices of one shape.
#pragma once

#include "mor1e/backend/cpu/row_loops.hpp"

namespace mor1e::backend {

/// y = f(x)
template <class F, class T>
void map_forward(cpu& device, F f, view<const T> x, view<T> y) {
  each_row(device, x.rows, 4 * x.cols, [&](index_t i) {
    const T* from = x.row(i);
    write_row(y.row(i), y.cols, T(0), [=](index_t j) { return f.f(from[j]); });
  });
}

/// dx = dy f'(x) + beta dx
template <class F, class T>
void map_backward(cpu& device, F f, view<const T> x, view<const T> dy, T beta, view<T> dx) {
  each_row(device, x.rows, 4 * x.cols, [&](index_t i) {
    const T *from = x.row(i), *g = dy.row(i);
    write_row(dx.row(i), dx.cols, beta, [=](index_t j) { return g[j] * f.df(from[j], f.f(from[j])); });
  });
}

/// x = [gate | up]: y = f(gate) up
template <class F, class T>
void gated_forward(cpu& device, F, view<const T> x, view<T> y) {
  each_row(device, y.rows, 4 * y.cols, [&](index_t i) {
    const T *gate = x.row(i), *up = gate + y.cols;
    write_row(y.row(i), y.cols, T(0), [=](index_t j) { return F::f(gate[j]) * up[j]; });
  });
}

namespace detail {
/// Both halves in one pass, as they share f(gate).
template <bool Keep, class F, class T>
[[gnu::flatten]] inline void gated_backward_row(F, index_t n, const T* gate, const T* up, const T* dy, T beta,
                                                T* d_gate, T* d_up) {
#pragma omp simd
  for (index_t j = 0; j < n; ++j) {
    const T a = F::f(gate[j]);
    const T to_gate = dy[j] * up[j] * F::df(gate[j], a), to_up = dy[j] * a;
    d_gate[j] = Keep ? to_gate + beta * d_gate[j] : to_gate;
    d_up[j] = Keep ? to_up + beta * d_up[j] : to_up;
  }
}
}  // namespace detail

/// dx = [dy up f'(gate) | dy f(gate)] + beta dx
template <class F, class T>
void gated_backward(cpu& device, F, view<const T> x, view<const T> dy, T beta, view<T> dx) {
  const index_t n = dy.cols;
  each_row(device, dy.rows, 8 * n, [&](index_t i) {
    const T* gate = x.row(i);
    T* to = dx.row(i);
    if (beta == T(0))
      detail::gated_backward_row<false>(F{}, n, gate, gate + n, dy.row(i), beta, to, to + n);
    else
      detail::gated_backward_row<true>(F{}, n, gate, gate + n, dy.row(i), beta, to, to + n);
  });
}

/// y = alpha x + beta y
template <class T>
void axpby(cpu& device, T alpha, view<const T> x, T beta, view<T> y) {
  each_row(device, y.rows, y.cols, [&](index_t i) {
    const T* from = x.row(i);
    write_row(y.row(i), y.cols, beta, [=](index_t j) { return alpha * from[j]; });
  });
}

/// y = beta y; 0 clears whatever y held
template <class T>
void rescale(cpu& device, T beta, view<T> y) {
  if (beta == T(1)) return;
  each_row(device, y.rows, y.cols, [&](index_t i) { write_row(y.row(i), y.cols, beta, [](index_t) { return T(0); }); });
}

/// y = a b + beta y
template <class T>
void multiply(cpu& device, view<const T> a, view<const T> b, T beta, view<T> y) {
  each_row(device, y.rows, y.cols, [&](index_t i) {
    const T *p = a.row(i), *q = b.row(i);
    write_row(y.row(i), y.cols, beta, [=](index_t j) { return p[j] * q[j]; });
  });
}

/// y = s x + beta y, s [1, 1]
template <class T>
void scale_by(cpu& device, view<const T> s, view<const T> x, T beta, view<T> y) {
  axpby(device, s[0], x, beta, y);
}

/// y_ij = s + beta y_ij for s [1, 1], s_i for s [rows, 1], s_j for s [1, cols]
template <class T>
void broadcast(cpu& device, view<const T> s, T beta, view<T> y) {
  if (s.cols > 1)
    return each_row(device, y.rows, y.cols, [&](index_t i) {
      write_row(y.row(i), y.cols, beta, [from = s.row(s.rows == 1 ? 0 : i)](index_t j) { return from[j]; });
    });
  each_row(device, y.rows, y.cols, [&](index_t i) {
    const T value = s[s.rows == 1 ? 0 : i];
    write_row(y.row(i), y.cols, beta, [=](index_t) { return value; });
  });
}

/// s = sum of all x + beta s, added in double
template <class T>
void sum(cpu& device, view<const T> x, T beta, view<T> s) {
  const double total = sum_over_rows(device, x.rows, x.cols, [&](index_t i) {
    return sum_row<double>(x.cols, [from = x.row(i)](index_t j) { return double(from[j]); });
  });
  s[0] = blend(T(total), beta, s[0]);
}

/// s = sum of all x y + beta s, added in double
template <class T>
void dot(cpu& device, view<const T> x, view<const T> y, T beta, view<T> s) {
  const double total = sum_over_rows(device, x.rows, x.cols, [&](index_t i) {
    return sum_row<double>(x.cols, [p = x.row(i), q = y.row(i)](index_t j) { return double(p[j]) * double(q[j]); });
  });
  s[0] = blend(T(total), beta, s[0]);
}

}  // namespace mor1e::backend
