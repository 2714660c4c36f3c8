// Multiples of normal noise: the same bits as on the host, up to the last of a logarithm and a cosine.
#pragma once

#include <cstdint>

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/backend/noise.hpp"

namespace mor1e::backend {

// Defined in kernels/noise.cuh.
namespace kernels {
template <class T>
void multiply_noise(launch_target, const noise_shape& s, device_view<const T> x,
                    device_view<const std::int32_t> examples, device_view<const std::int32_t> positions,
                    device_view<const std::int32_t> draw, T beta, device_view<T> y);
}  // namespace kernels

/// y_ij = e_ij x_ij + beta y_ij, e standard normal; see noise_shape. The same for dy -> dx.
template <class T>
void multiply_noise(cuda& device, const noise_shape& s, device_view<const T> x,
                    device_view<const std::int32_t> examples, device_view<const std::int32_t> positions,
                    device_view<const std::int32_t> draw, T beta, device_view<T> y) {
  kernels::multiply_noise<T>(device.target(), s, x, examples, positions, draw, beta, y);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/noise.cuh"
#endif
