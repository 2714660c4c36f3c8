// Matrix products, three loops, and the transpose.
#pragma once

#include "mor1e/backend/operand_rounding.hpp"
#include "mor1e/backend/reference/device.hpp"
#include "mor1e/backend/transpose.hpp"

namespace mor1e::backend {

/// c = alpha op(a) op(b) + beta c. With beta 0, c may hold anything before, NaN included.
template <class T>
void gemm(reference&, transpose ta, transpose tb, T alpha, view<const T> a, view<const T> b, T beta, view<T> c) {
  const index_t inner = ta == transpose::no ? a.cols : a.rows;
  for (index_t i = 0; i < c.rows; ++i)
    for (index_t j = 0; j < c.cols; ++j) {
      T sum = 0;
      for (index_t k = 0; k < inner; ++k)
        sum += (ta == transpose::no ? a(i, k) : a(k, i)) * (tb == transpose::no ? b(k, j) : b(j, k));
      c(i, j) = blend(alpha * sum, beta, c(i, j));
    }
}

/// c_i = alpha op(a_i) op(b_i) + beta c_i for the blocks i that the rows of a, b and c are cut into
template <class T>
void batched_gemm(reference& device, index_t batches, transpose ta, transpose tb, T alpha, view<const T> a,
                  view<const T> b, T beta, view<T> c) {
  for (index_t i = 0; i < batches; ++i)
    gemm(device, ta, tb, alpha, block(a, batches, i), block(b, batches, i), beta, block(c, batches, i));
}

/// y = x^T + beta y
template <class T>
void transposed(reference&, view<const T> x, T beta, view<T> y) {
  for (index_t i = 0; i < y.rows; ++i)
    for (index_t j = 0; j < y.cols; ++j) y(i, j) = blend(x(j, i), beta, y(i, j));
}

/// y = x op(W) + beta y for a frozen W [out, in]; `yes` reads it transposed: y = x W^T.
template <class T>
void frozen_gemm(reference& device, transpose tw, view<const T> x, const host_frozen<T>& w, T beta, view<T> y,
                 operand_rounding = operand_rounding::allowed) {
  if (w.is_stored()) {
    const tensor<T> values = read_frozen(device, w);
    return gemm(device, transpose::no, tw, T(1), x, values.matrix(), beta, y);
  }
  gemm(device, transpose::no, tw, T(1), x, w.values(), beta, y);
}

}  // namespace mor1e::backend
