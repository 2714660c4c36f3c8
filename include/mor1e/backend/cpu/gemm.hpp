// Matrix products: the kernel of Eigen or oneDNN on one block of the result per thread; and the transpose.
#pragma once

#include "mor1e/backend/cpu/frozen.hpp"
#include "mor1e/backend/cpu/row_loops.hpp"
#include "mor1e/backend/operand_rounding.hpp"
#include "mor1e/backend/scratch.hpp"
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

/// f(first, rows) for pieces of a frozen weight: one, if its numbers lie in memory; else pieces of a million, decoded
/// by all threads.
template <class T, class F>
void each_piece(cpu& device, const host_frozen<T>& w, const F& f) {
  if (!w.is_stored()) return f(index_t(0), w.values());
  constexpr index_t most = 1 << 20;
  const index_t piece = std::max<index_t>(1, most / std::max<index_t>(1, w.cols()));
  // The same size for all weights, so that the device keeps one block for them.
  const scratch<cpu, T> memory(device, 1, std::max(most, w.cols()));
  for (index_t first = 0; first < w.rows(); first += piece) {
    const view<T> rows(memory.view().data, std::min(piece, w.rows() - first), w.cols());
    parallel_rows(device, rows.rows, rows.cols,
                  [&](index_t begin, index_t end) { w.read_rows(first + begin, rows.row_range(begin, end - begin)); });
    f(first, view<const T>(rows));
  }
}

/// y = x op(W) + beta y for a frozen W [out, in]; `yes` reads it transposed: y = x W^T. Where rounding is allowed, the
/// operands are what the products of the device make of them (see cpu_products).
template <class T>
void frozen_gemm(cpu& device, transpose tw, view<const T> x, const cpu_frozen<T>& w, T beta, view<T> y,
                 operand_rounding rounding = operand_rounding::allowed) {
  if constexpr (std::is_same_v<T, float>)
    if (w.is_rounded() && rounding == operand_rounding::allowed)
      return w.packed(device, tw).multiply(device, x, beta, y);
  each_piece(device, w, [&](index_t first, view<const T> rows) {
    if (tw == transpose::yes)
      gemm(device, transpose::no, tw, T(1), x, rows, beta, y.col_range(first, rows.rows));
    else
      gemm(device, transpose::no, tw, T(1), x.col_range(first, rows.rows), rows, first ? T(1) : beta, y);
  });
}

}  // namespace mor1e::backend

// Eigen costs each unit seconds; with the compiled library only that library includes it.
#ifndef MOR1E_COMPILED
#include "mor1e/backend/cpu/gemm.ipp"
#endif
