// Functions of two elements, one of each operand, and the choice between two. A row, a column or a single number is
// repeated.
#pragma once

#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

namespace detail {
/// x(i, j), an axis of one element being repeated.
template <class T>
T repeated(view<const T> x, index_t i, index_t j) {
  return x(x.rows == 1 ? 0 : i, x.cols == 1 ? 0 : j);
}
}  // namespace detail

/// y = f(a, b) + beta y
template <class F, class T>
void zip_forward(reference&, F f, view<const T> a, view<const T> b, T beta, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j)
      y(i, j) = blend(f.f(detail::repeated(a, i, j), detail::repeated(b, i, j)), beta, y(i, j));
}

/// dx = dy f(a, b) + beta dx, f being the derivative by the operand x; summed over the axes along which x is repeated,
/// in double where x is a single number.
template <class F, class T>
void zip_backward(reference&, F f, view<const T> a, view<const T> b, view<const T> dy, T beta, view<T> dx) {
  const auto sum = [&](auto zero, index_t first_row, index_t rows, index_t first_col, index_t cols) {
    for (index_t i = first_row; i < first_row + rows; ++i)
      for (index_t j = first_col; j < first_col + cols; ++j)
        zero += dy(i, j) * f.f(detail::repeated(a, i, j), detail::repeated(b, i, j));
    return T(zero);
  };
  if (dx.rows == 1 && dx.cols == 1) return void(dx[0] = blend(sum(0.0, 0, dy.rows, 0, dy.cols), beta, dx[0]));
  const bool one_row = dx.rows == 1, one_col = dx.cols == 1;
  for (index_t i = 0; i < dx.rows; ++i)
    for (index_t j = 0; j < dx.cols; ++j)
      dx(i, j) = blend(sum(T(0), i, one_row ? dy.rows : 1, j, one_col ? dy.cols : 1), beta, dx(i, j));
}

/// y = alpha times the sum of f(a, b) over all elements, added in double.             a, b of one shape, y [1, 1]
template <class F, class T>
void zip_sum(reference&, F f, T alpha, view<const T> a, view<const T> b, view<T> y) {
  double sum = 0;
  for (index_t i = 0; i < a.rows; ++i)
    for (index_t j = 0; j < a.cols; ++j) sum += double(f.f(a(i, j), b(i, j)));
  y[0] = alpha * T(sum);
}

/// dx = alpha dy f(a, b) + beta dx for dy [1, 1], f being the derivative by the operand x
template <class F, class T>
void zip_sum_backward(reference&, F f, T alpha, view<const T> a, view<const T> b, view<const T> dy, T beta,
                      view<T> dx) {
  for (index_t i = 0; i < a.rows; ++i)
    for (index_t j = 0; j < a.cols; ++j) dx(i, j) = blend(alpha * dy[0] * f.f(a(i, j), b(i, j)), beta, dx(i, j));
}

/// y = a where mask > 0, else b
template <class T>
void select(reference&, view<const T> mask, view<const T> a, view<const T> b, view<T> y) {
  using detail::repeated;
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = repeated(repeated(mask, i, j) > T(0) ? a : b, i, j);
}

}  // namespace mor1e::backend
