// Cross entropy of rows of logits. A target past the last column gives a loss of NaN: whoever makes targets checks
// them.
#pragma once

#include <cstdint>

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/backend/cuda/reduction.hpp"

namespace mor1e::backend {

// Defined in kernels/loss.cuh.
namespace kernels {
template <class T>
void target_share(launch_target, device_view<const std::int32_t> targets, device_view<T> s, int* parts);
template <class T>
void cross_entropy_forward(launch_target, device_view<const T> x, device_view<const std::int32_t> targets,
                           device_view<T> nll, device_view<T> lse);
template <class T>
void cross_entropy_backward(launch_target, device_view<const T> x, device_view<const std::int32_t> targets,
                            device_view<const T> lse, device_view<const T> s, T beta, device_view<T> dx);
template <class T>
void cross_entropy_in_place(launch_target, device_view<const std::int32_t> targets, device_view<T> x,
                            device_view<T> nll);
}  // namespace kernels

/// s = one over the number of targets that are not negative, 0 without any
template <class T>
void target_share(cuda& device, device_view<const std::int32_t> targets, device_view<T> s) {
  const cuda_scratch<int> parts(device, 1, kernels::most_parts);
  kernels::target_share<T>(device.target(), targets, s, parts.view().address());
}

/// lse_i = log sum_j exp(x_ij); nll_i = lse_i - x_i,target. A row with a negative target is ignored: nll_i = 0.
template <class T>
void cross_entropy_forward(cuda& device, device_view<const T> x, device_view<const std::int32_t> targets,
                           device_view<T> nll, device_view<T> lse) {
  kernels::cross_entropy_forward<T>(device.target(), x, targets, nll, lse);
}

/// dx_ij = s (exp(x_ij - lse_i) - [j = target_i]) + beta dx_ij, s [1, 1]; an ignored row adds nothing.
template <class T>
void cross_entropy_backward(cuda& device, device_view<const T> x, device_view<const std::int32_t> targets,
                            device_view<const T> lse, device_view<const T> s, T beta, device_view<T> dx) {
  kernels::cross_entropy_backward<T>(device.target(), x, targets, lse, s, beta, dx);
}

/// nll as above, and the gradient of its sum, softmax(x) - onehot(target), in place of x.
template <class T>
void cross_entropy_in_place(cuda& device, device_view<const std::int32_t> targets, device_view<T> x,
                            device_view<T> nll) {
  kernels::cross_entropy_in_place<T>(device.target(), targets, x, nll);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/loss.cuh"
#endif
