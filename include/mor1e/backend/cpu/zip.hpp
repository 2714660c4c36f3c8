// Functions of two elements, one of each operand, and the choice between two. A row, a column or a single number is
// repeated.
#pragma once

#include <algorithm>
#include <array>

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

namespace detail {
/// add(i, begin, count, beta, to): to = `count` elements of row i of a matrix [rows, cols], from column `begin`,
/// + beta to.
template <class T>
using add_row_piece = function_ref<void(index_t i, index_t begin, index_t count, T beta, T* to)>;

/// to = the matrix + beta to; summed over the axes along which `to` has one element, in double where it has one only.
template <class T>
void add_rows(cpu& device, add_row_piece<T> add, index_t rows, index_t cols, T beta, view<T> to) {
  const auto row_sum = [&]<class Sum>(index_t i, Sum sum) {
    std::array<T, 1024> piece;  // stays in the first cache
    for (index_t begin = 0; begin < cols; begin += index_t(piece.size())) {
      const index_t count = std::min(index_t(piece.size()), cols - begin);
      add(i, begin, count, T(0), piece.data());
      sum += sum_row<Sum>(count, [&](index_t j) { return Sum(piece[j]); });
    }
    return sum;
  };
  if (to.rows == rows && to.cols == cols) {
    each_row(device, rows, 2 * cols, [&](index_t i) { add(i, 0, cols, beta, to.row(i)); });
  } else if (to.rows == 1 && to.cols == 1) {
    const double total = sum_over_rows(device, rows, 2 * cols, [&](index_t i) { return row_sum(i, 0.0); });
    to[0] = blend(T(total), beta, to[0]);
  } else if (to.cols == 1) {
    each_row(device, rows, 2 * cols, [&](index_t i) { to[i] = blend(row_sum(i, T(0)), beta, to[i]); });
  } else {
    parallel_for(device.threads(), cols, 64, [&](index_t begin, index_t end) {
      write_row(to.data + begin, end - begin, beta, [](index_t) { return T(0); });
      for (index_t i = 0; i < rows; ++i) add(i, begin, end - begin, T(1), to.data + begin);
    });
  }
}
}  // namespace detail

/// dx = dy f(a, b) + beta dx, f being the derivative by the operand x; summed over the axes along which x is repeated,
/// in double where x is a single number. No sum depends on the number of threads.
template <class F, class T>
void zip_backward(cpu& device, F f, view<const T> a, view<const T> b, view<const T> dy, T beta, view<T> dx) {
  // The only loops compiled for each f: sums read what they wrote.
  const auto add = [&](index_t i, index_t begin, index_t count, T keep, T* to) {
    detail::with_zipped_row(f, a, b, i, dy.cols, [&](auto d) {
      write_row(to, count, keep, [=, g = dy.row(i)](index_t j) { return g[begin + j] * d(begin + j); });
    });
  };
  detail::add_rows<T>(device, add, dy.rows, dy.cols, beta, dx);
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
