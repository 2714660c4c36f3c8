// Eigen's matrix product, on one thread.
#pragma once

// Threads are ours: Eigen's own would need an OpenMP runtime.
#ifndef EIGEN_DONT_PARALLELIZE
#define EIGEN_DONT_PARALLELIZE
#endif
// GCC 12 sees uninitialised registers in AVX-512 intrinsics that Eigen inlines.
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Core>

#include "mor1e/backend/transpose.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e::backend::detail::eigen {

template <class T, int Order>
using map = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Order>, 0, Eigen::OuterStride<>>;

/// op(m) for a row-major m: itself, or the same memory read column by column.
template <class T, int Order>
map<T, Order> operand_map(view<const T> m) {
  if constexpr (Order == Eigen::RowMajor)
    return {m.data, m.rows, m.cols, Eigen::OuterStride<>(m.stride)};
  else
    return {m.data, m.cols, m.rows, Eigen::OuterStride<>(m.stride)};
}

template <class T, int OrderA, int OrderB>
void add_product(T alpha, view<const T> a, view<const T> b, view<T> c) {
  Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 0, Eigen::OuterStride<>> to(
      c.data, c.rows, c.cols, Eigen::OuterStride<>(c.stride));
  to.noalias() += alpha * (operand_map<T, OrderA>(a) * operand_map<T, OrderB>(b));
}

/// c = alpha op(a) op(b) + beta c
template <class T>
void gemm(transpose ta, transpose tb, T alpha, view<const T> a, view<const T> b, T beta, view<T> c) {
  constexpr int row = Eigen::RowMajor, col = Eigen::ColMajor;
  if (beta != T(1))
    for (index_t i = 0; i < c.rows; ++i)
      for (index_t j = 0; j < c.cols; ++j) c(i, j) = beta == T(0) ? T(0) : beta * c(i, j);
  if (ta == transpose::no)
    tb == transpose::no ? add_product<T, row, row>(alpha, a, b, c) : add_product<T, row, col>(alpha, a, b, c);
  else
    tb == transpose::no ? add_product<T, col, row>(alpha, a, b, c) : add_product<T, col, col>(alpha, a, b, c);
}

}  // namespace mor1e::backend::detail::eigen

#pragma GCC diagnostic pop
