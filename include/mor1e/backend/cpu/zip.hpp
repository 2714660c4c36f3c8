// Functions of two elements, one of each operand, and the choice between two. A row, a column or a single number is
// repeated.
#pragma once

#include "mor1e/backend/cpu/row_loops.hpp"

namespace mor1e::backend {

namespace detail {
/// use(g) with g(j) = f(a_ij, b_ij) for j < cols. A repeated row is read with stride 0 from row to row, a repeated
/// column with stride 0 along the row; the strides are not looked up inside the loop, so that it vectorises.
template <class F, class T, class Use>
void with_zipped_row(F f, view<const T> a, view<const T> b, index_t i, index_t cols, const Use& use) {
  const T *p = a.row(a.rows == 1 ? 0 : i), *q = b.row(b.rows == 1 ? 0 : i);
  if (a.cols == cols && b.cols == cols)
    use([=](index_t j) { return f.f(p[j], q[j]); });
  else if (a.cols == cols)
    use([=, y = *q](index_t j) { return f.f(p[j], y); });
  else
    use([=, x = *p](index_t j) { return f.f(x, q[j]); });
}
}  // namespace detail

/// y = f(a, b) + beta y
template <class F, class T>
void zip_forward(cpu& device, F f, view<const T> a, view<const T> b, T beta, view<T> y) {
  each_row(device, y.rows, 2 * y.cols, [&](index_t i) {
    detail::with_zipped_row(f, a, b, i, y.cols, [&](auto g) { write_row(y.row(i), y.cols, beta, g); });
  });
}

/// dx = dy f(a, b) + beta dx, f being the derivative by the operand x; summed over the axes along which x is repeated,
/// in double where x is a single number. No sum depends on the number of threads.
template <class F, class T>
void zip_backward(cpu& device, F f, view<const T> a, view<const T> b, view<const T> dy, T beta, view<T> dx) {
  const index_t n = dy.cols;
  // use(g) with g(j) = dy_ij f(a_ij, b_ij)
  const auto with_row = [&](index_t i, const auto& use) {
    detail::with_zipped_row(f, a, b, i, n, [&](auto d) { use([=, g = dy.row(i)](index_t j) { return g[j] * d(j); }); });
  };
  if (dx.rows == dy.rows && dx.cols == n) {
    each_row(device, dy.rows, 2 * n,
             [&](index_t i) { with_row(i, [&](auto g) { write_row(dx.row(i), n, beta, g); }); });
  } else if (dx.rows == 1 && dx.cols == 1) {
    const double total = sum_over_rows(device, dy.rows, 2 * n, [&](index_t i) {
      double sum = 0;
      with_row(i, [&](auto g) { sum = sum_row<double>(n, [=](index_t j) { return double(g(j)); }); });
      return sum;
    });
    dx[0] = blend(T(total), beta, dx[0]);
  } else if (dx.cols == 1) {
    each_row(device, dy.rows, 2 * n,
             [&](index_t i) { with_row(i, [&](auto g) { dx[i] = blend(sum_row<T>(n, g), beta, dx[i]); }); });
  } else {
    parallel_for(device.threads(), n, 64, [&](index_t begin, index_t end) {
      write_row(dx.data + begin, end - begin, beta, [](index_t) { return T(0); });
      for (index_t i = 0; i < dy.rows; ++i)
        with_row(
            i, [&](auto g) { write_row(dx.data + begin, end - begin, T(1), [=](index_t j) { return g(begin + j); }); });
    });
  }
}

/// y = alpha times the sum of f(a, b) over all elements, added in double.             a, b of one shape, y [1, 1]
template <class F, class T>
void zip_sum(cpu& device, F f, T alpha, view<const T> a, view<const T> b, view<T> y) {
  y[0] = alpha * T(sum_over_rows(device, a.rows, 4 * a.cols, [&](index_t i) {
           const T *p = a.row(i), *q = b.row(i);
           return sum_row<double>(a.cols, [=](index_t j) { return double(f.f(p[j], q[j])); });
         }));
}

/// dx = alpha dy f(a, b) + beta dx for dy [1, 1], f being the derivative by the operand x
template <class F, class T>
void zip_sum_backward(cpu& device, F f, T alpha, view<const T> a, view<const T> b, view<const T> dy, T beta,
                      view<T> dx) {
  each_row(device, a.rows, 4 * a.cols, [&, s = alpha * dy[0]](index_t i) {
    const T *p = a.row(i), *q = b.row(i);
    write_row(dx.row(i), dx.cols, beta, [=](index_t j) { return s * f.f(p[j], q[j]); });
  });
}

namespace detail {
/// use(g) with g(j) = x_ij for j < cols, an axis of one element being repeated
template <class T, class Use>
void with_repeated_row(view<const T> x, index_t i, index_t cols, const Use& use) {
  const T* p = x.row(x.rows == 1 ? 0 : i);
  if (x.cols == cols)
    use([=](index_t j) { return p[j]; });
  else
    use([value = *p](index_t) { return value; });
}
}  // namespace detail

/// y = a where mask > 0, else b
template <class T>
void select(cpu& device, view<const T> mask, view<const T> a, view<const T> b, view<T> y) {
  const index_t n = y.cols;
  const auto with_row = [n](view<const T> x, index_t i, const auto& use) { detail::with_repeated_row(x, i, n, use); };
  each_row(device, y.rows, 2 * n, [&](index_t i) {
    with_row(mask, i, [&](auto m) {
      with_row(a, i, [&](auto p) {
        with_row(b, i, [&](auto q) {
          write_row(y.row(i), n, T(0), [=](index_t j) {
            const T chosen = p(j), other = q(j);  // both read: a load under a condition does not vectorise
            return m(j) > T(0) ? chosen : other;
          });
        });
      });
    });
  });
}

}  // namespace mor1e::backend
