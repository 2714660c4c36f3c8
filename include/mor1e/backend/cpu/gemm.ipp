// Definitions of cpu/gemm.hpp: who multiplies.
#pragma once

#include "mor1e/backend/cpu/eigen.hpp"
#include "mor1e/backend/cpu/gemm.hpp"
#ifdef MOR1E_ONEDNN
#include "mor1e/backend/cpu/onednn/library.hpp"
#endif

namespace mor1e::backend {

template <class T>
void gemm_serial(transpose ta, transpose tb, T alpha, view<const T> a, view<const T> b, T beta, view<T> c) {
#ifdef MOR1E_ONEDNN
  if constexpr (std::is_same_v<T, float>)
    if (a.size() > 0) return detail::onednn::gemm(ta, tb, alpha, a, b, beta, c);
#endif
  detail::eigen::gemm(ta, tb, alpha, a, b, beta, c);
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
