// Definitions of cpu/gemm.hpp: the only place where Eigen multiplies, or oneDNN for it.
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

#include "mor1e/backend/cpu/gemm.hpp"
#ifdef MOR1E_ONEDNN
#include "mor1e/backend/cpu/onednn.hpp"
#endif

namespace mor1e::backend {

namespace detail {

template <class T, int Order>
using gemm_map = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Order>, 0, Eigen::OuterStride<>>;

/// op(m) for a row-major m: itself, or the same memory read column by column.
template <class T, int Order>
gemm_map<T, Order> operand_map(view<const T> m) {
  if constexpr (Order == Eigen::RowMajor)
    return {m.data, m.rows, m.cols, Eigen::OuterStride<>(m.stride)};
  else
    return {m.data, m.cols, m.rows, Eigen::OuterStride<>(m.stride)};
}

template <class T, int OrderA, int OrderB>
void gemm_block(T alpha, view<const T> a, view<const T> b, view<T> c) {
  Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 0, Eigen::OuterStride<>> to(
      c.data, c.rows, c.cols, Eigen::OuterStride<>(c.stride));
  to.noalias() += alpha * (operand_map<T, OrderA>(a) * operand_map<T, OrderB>(b));
}

}  // namespace detail

template <class T>
void gemm_serial(transpose ta, transpose tb, T alpha, view<const T> a, view<const T> b, T beta, view<T> c) {
#ifdef MOR1E_ONEDNN
  if constexpr (std::is_same_v<T, float>) return detail::onednn::gemm(ta, tb, alpha, a, b, beta, c);
#endif
  constexpr int row = Eigen::RowMajor, col = Eigen::ColMajor;
  if (beta != T(1))
    for (index_t i = 0; i < c.rows; ++i)
      for (index_t j = 0; j < c.cols; ++j) c(i, j) = beta == T(0) ? T(0) : beta * c(i, j);
  if (ta == transpose::no)
    tb == transpose::no ? detail::gemm_block<T, row, row>(alpha, a, b, c)
                        : detail::gemm_block<T, row, col>(alpha, a, b, c);
  else
    tb == transpose::no ? detail::gemm_block<T, col, row>(alpha, a, b, c)
                        : detail::gemm_block<T, col, col>(alpha, a, b, c);
}

template <class T>
void gemm(cpu& device, transpose ta, transpose tb, T alpha, view<const T> a, view<const T> b, T beta, view<T> c) {
  const index_t inner = ta == transpose::no ? a.cols : a.rows;
  // Below about a million multiplications a region costs more than it saves.
  const index_t worth = std::max<index_t>(1, 1'000'000 / std::max<index_t>(1, inner * std::min(c.rows, c.cols)));
  if (c.rows >= c.cols)
    parallel_for(device.threads(), c.rows, std::max<index_t>(worth, 8), [&](index_t begin, index_t end) {
      const view<const T> part =
          ta == transpose::no ? a.row_range(begin, end - begin) : a.col_range(begin, end - begin);
      gemm_serial(ta, tb, alpha, part, b, beta, c.row_range(begin, end - begin));
    });
  else
    parallel_for(device.threads(), c.cols, std::max<index_t>(worth, 16), [&](index_t begin, index_t end) {
      const view<const T> part =
          tb == transpose::no ? b.col_range(begin, end - begin) : b.row_range(begin, end - begin);
      gemm_serial(ta, tb, alpha, a, part, beta, c.col_range(begin, end - begin));
    });
}

}  // namespace mor1e::backend

#pragma GCC diagnostic pop
