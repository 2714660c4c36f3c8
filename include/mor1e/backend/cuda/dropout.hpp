// Dropout whose mask is a function of what a row is, not of where it lies: the same bits as on the host.
#pragma once

#include <cstdint>

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/backend/dropout.hpp"

namespace mor1e::backend {

// Defined in kernels/dropout.cuh.
namespace kernels {
template <class T>
void dropout(launch_target, const dropout_shape& s, device_view<const T> x, device_view<const std::int32_t> examples,
             device_view<const std::int32_t> positions, device_view<const std::int32_t> draw, T beta, device_view<T> y);
}  // namespace kernels

/// y_ij = keep_ij x_ij / (1 - rate) + beta y_ij; see dropout_shape. The same for dy -> dx.
template <class T>
void dropout(cuda& device, const dropout_shape& s, device_view<const T> x, device_view<const std::int32_t> examples,
             device_view<const std::int32_t> positions, device_view<const std::int32_t> draw, T beta,
             device_view<T> y) {
  kernels::dropout<T>(device.target(), s, x, examples, positions, draw, beta, y);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/dropout.cuh"
#endif
