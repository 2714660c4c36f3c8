// Matrix products: Eigen's kernel on one block of the result per thread; and the transpose.
#pragma once

#include "mor1e/backend/cpu/row_loops.hpp"
#include "mor1e/backend/transpose.hpp"

namespace mor1e::backend {

/// One thread's product: c = alpha op(a) op(b) + beta c. For callers that divide the work themselves.
template <class T>
void gemm_serial(transpose ta, transpose tb, T alpha, view<const T> a, view<const T> b, T beta, view<T> c);

/// c = alpha op(a) op(b) + beta c, the longer side of c divided among the threads. T: float or double.
template <class T>
void gemm(cpu& device, transpose ta, transpose tb, T alpha, view<const T> a, view<const T> b, T beta, view<T> c);

/// c_i = alpha op(a_i) op(b_i) + beta c_i for the blocks i that the rows of a, b and c are cut into. Threads share the
/// blocks, or each block where there are fewer than threads.
template <class T>
void batched_gemm(cpu& device, index_t batches, transpose ta, transpose tb, T alpha, view<const T> a, view<const T> b,
                  T beta, view<T> c) {
  if (batches < device.threads().size()) {
    for (index_t i = 0; i < batches; ++i)
      gemm(device, ta, tb, alpha, block(a, batches, i), block(b, batches, i), beta, block(c, batches, i));
    return;
  }
  const index_t inner = ta == transpose::no ? a.cols : a.rows / batches;
  const index_t worth = 1'000'000 / std::max<index_t>(1, inner * c.size() / batches);
  parallel_for(device.threads(), batches, std::max<index_t>(1, worth), [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i)
      gemm_serial(ta, tb, alpha, block(a, batches, i), block(b, batches, i), beta, block(c, batches, i));
  });
}

/// y = x^T + beta y, in tiles that stay in the first level of the cache
template <class T>
void transposed(cpu& device, view<const T> x, T beta, view<T> y) {
  constexpr index_t tile = 32;
  parallel_for(device.threads(), y.rows, std::max<index_t>(tile, 16384 / std::max<index_t>(1, y.cols)),
               [&](index_t begin, index_t end) {
                 for (index_t from = begin; from < end; from += tile)
                   for (index_t left = 0; left < y.cols; left += tile)
                     for (index_t i = from; i < std::min(from + tile, end); ++i)
                       write_row(
                           y.row(i) + left, std::min(tile, y.cols - left), beta,
                           [column = x.row(left) + i, stride = x.stride](index_t j) { return column[j * stride]; });
               });
}

/// y = x op(W) + beta y for a frozen W [out, in]; `yes` reads it transposed: y = x W^T.
template <class T>
void frozen_gemm(cpu& device, transpose tw, view<const T> x, const host_frozen<T>& w, T beta, view<T> y) {
  gemm(device, transpose::no, tw, T(1), x, w.values(), beta, y);
}

}  // namespace mor1e::backend

// Eigen costs each unit seconds; with the compiled library only that library includes it.
#ifndef MOR1E_COMPILED
#include "mor1e/backend/cpu/gemm.ipp"
#endif
