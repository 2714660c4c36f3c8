// Sums and copies along the middle of columns [outer, copies, inner].
#pragma once

#include "mor1e/backend/cuda/device.hpp"

namespace mor1e::backend {

// Defined in kernels/fold.cuh.
namespace kernels {
template <class T>
void fold_columns(launch_target, index_t copies, index_t inner, device_view<const T> x, T beta, device_view<T> y);
template <class T>
void spread_columns(launch_target, index_t copies, index_t inner, device_view<const T> x, T beta, device_view<T> y);
}  // namespace kernels

/// y(o, i) = sum_c x(o, c, i) + beta y(o, i) in each row
template <class T>
void fold_columns(cuda& device, index_t copies, index_t inner, device_view<const T> x, T beta, device_view<T> y) {
  kernels::fold_columns<T>(device.target(), copies, inner, x, beta, y);
}

/// y(o, c, i) = x(o, i) + beta y(o, c, i) in each row
template <class T>
void spread_columns(cuda& device, index_t copies, index_t inner, device_view<const T> x, T beta, device_view<T> y) {
  kernels::spread_columns<T>(device.target(), copies, inner, x, beta, y);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/fold.cuh"
#endif
