// The transpose of a matrix.
#pragma once

#include "mor1e/backend/cuda/device.hpp"

namespace mor1e::backend {

// Defined in kernels/transposed.cuh.
namespace kernels {
template <class T>
void transposed(launch_target, device_view<const T> x, T beta, device_view<T> y);
}  // namespace kernels

/// y = x^T + beta y
template <class T>
void transposed(cuda& device, device_view<const T> x, T beta, device_view<T> y) {
  kernels::transposed<T>(device.target(), x, beta, y);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/transposed.cuh"
#endif
