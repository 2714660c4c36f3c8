// Softmax of each row, its logarithm, and the logarithm of its denominator.
#pragma once

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/backend/cuda/reduction.hpp"

namespace mor1e::backend {

// Defined in kernels/softmax.cuh.
namespace kernels {
template <class T>
void softmax_forward(launch_target, device_view<const T> x, device_view<T> y);
template <class T>
void softmax_backward(launch_target, device_view<const T> y, device_view<const T> dy, T beta, device_view<T> dx);
template <class T>
void log_softmax_forward(launch_target, device_view<const T> x, device_view<T> y);
template <class T>
void log_softmax_backward(launch_target, device_view<const T> y, device_view<const T> dy, T beta, device_view<T> dx);
template <class T>
void log_sum_exp_forward(launch_target, device_view<const T> x, device_view<T> y);
template <class T>
void log_sum_exp_backward(launch_target, device_view<const T> x, device_view<const T> y, device_view<const T> dy,
                          T beta, device_view<T> dx);
}  // namespace kernels

/// y = exp(x - max x) / sum
template <class T>
void softmax_forward(cuda& device, device_view<const T> x, device_view<T> y) {
  kernels::softmax_forward<T>(device.target(), x, y);
}

/// dx = y * (dy - <dy, y>) + beta dx
template <class T>
void softmax_backward(cuda& device, device_view<const T> y, device_view<const T> dy, T beta, device_view<T> dx) {
  kernels::softmax_backward<T>(device.target(), y, dy, beta, dx);
}

/// y = x - log sum_j exp(x_ij)
template <class T>
void log_softmax_forward(cuda& device, device_view<const T> x, device_view<T> y) {
  kernels::log_softmax_forward<T>(device.target(), x, y);
}

/// dx = dy - exp(y) sum_j dy_ij + beta dx
template <class T>
void log_softmax_backward(cuda& device, device_view<const T> y, device_view<const T> dy, T beta, device_view<T> dx) {
  kernels::log_softmax_backward<T>(device.target(), y, dy, beta, dx);
}

/// y_i = log sum_j exp(x_ij)
template <class T>
void log_sum_exp_forward(cuda& device, device_view<const T> x, device_view<T> y) {
  kernels::log_sum_exp_forward<T>(device.target(), x, y);
}

/// dx_ij = dy_i exp(x_ij - y_i) + beta dx_ij
template <class T>
void log_sum_exp_backward(cuda& device, device_view<const T> x, device_view<const T> y, device_view<const T> dy, T beta,
                          device_view<T> dx) {
  kernels::log_sum_exp_backward<T>(device.target(), x, y, dy, beta, dx);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/softmax.cuh"
#endif
