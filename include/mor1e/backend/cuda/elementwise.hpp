// Functions of one element, gates, sums and products of matrices of one shape.
#pragma once

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/backend/cuda/reduction.hpp"

namespace mor1e::backend {

// Defined in kernels/elementwise.cuh. A unit without nvcc finds them in mor1e::cuda, or in a .cu of its own for
// functions of its own (MOR1E_CUDA_MAP, MOR1E_CUDA_GATED).
namespace kernels {
template <class F, class T>
void map_forward(launch_target, F f, device_view<const T> x, device_view<T> y);
template <class F, class T>
void map_backward(launch_target, F f, device_view<const T> x, device_view<const T> dy, T beta, device_view<T> dx);
template <class F, class T>
void gated_forward(launch_target, F f, device_view<const T> x, device_view<T> y);
template <class F, class T>
void gated_backward(launch_target, F f, device_view<const T> x, device_view<const T> dy, T beta, device_view<T> dx);
template <class T>
void axpby(launch_target, T alpha, device_view<const T> x, T beta, device_view<T> y);
template <class T>
void multiply(launch_target, device_view<const T> a, device_view<const T> b, T beta, device_view<T> y);
template <class T>
void broadcast(launch_target, device_view<const T> s, T beta, device_view<T> y);
template <class T>
void rescale(launch_target, T beta, device_view<T> y);
template <class T>
void fill(launch_target, T value, device_view<T> y);
template <class T>
void sum(launch_target, device_view<const T> x, T beta, device_view<T> s, double* parts);
template <class T>
void dot(launch_target, device_view<const T> x, device_view<const T> y, T beta, device_view<T> s, double* parts);
}  // namespace kernels

/// y = f(x)
template <class F, class T>
void map_forward(cuda& device, F f, device_view<const T> x, device_view<T> y) {
  kernels::map_forward<F, T>(device.target(), f, x, y);
}

/// dx = dy f'(x) + beta dx
template <class F, class T>
void map_backward(cuda& device, F f, device_view<const T> x, device_view<const T> dy, T beta, device_view<T> dx) {
  kernels::map_backward<F, T>(device.target(), f, x, dy, beta, dx);
}

/// x = [gate | up]: y = f(gate) up
template <class F, class T>
void gated_forward(cuda& device, F f, device_view<const T> x, device_view<T> y) {
  kernels::gated_forward<F, T>(device.target(), f, x, y);
}

/// dx = [dy up f'(gate) | dy f(gate)] + beta dx
template <class F, class T>
void gated_backward(cuda& device, F f, device_view<const T> x, device_view<const T> dy, T beta, device_view<T> dx) {
  kernels::gated_backward<F, T>(device.target(), f, x, dy, beta, dx);
}

/// y = alpha x + beta y
template <class T>
void axpby(cuda& device, T alpha, device_view<const T> x, T beta, device_view<T> y) {
  kernels::axpby<T>(device.target(), alpha, x, beta, y);
}

/// y = beta y; 0 clears whatever y held
template <class T>
void rescale(cuda& device, T beta, device_view<T> y) {
  if (beta != T(1)) kernels::rescale<T>(device.target(), beta, y);
}

/// y = value
template <class T>
void fill(cuda& device, T value, device_view<T> y) {
  kernels::fill<T>(device.target(), value, y);
}

/// y = a b + beta y
template <class T>
void multiply(cuda& device, device_view<const T> a, device_view<const T> b, T beta, device_view<T> y) {
  kernels::multiply<T>(device.target(), a, b, beta, y);
}

/// y = s x + beta y, s [1, 1]
template <class T>
void scale_by(cuda& device, device_view<const T> s, device_view<const T> x, T beta, device_view<T> y) {
  kernels::multiply<T>(device.target(), x, s, beta, y);
}

/// y_ij = s + beta y_ij for s [1, 1], s_i for s [rows, 1], s_j for s [1, cols]
template <class T>
void broadcast(cuda& device, device_view<const T> s, T beta, device_view<T> y) {
  kernels::broadcast<T>(device.target(), s, beta, y);
}

/// s = sum of all x + beta s, added in double
template <class T>
void sum(cuda& device, device_view<const T> x, T beta, device_view<T> s) {
  const cuda_scratch<double> parts(device, 1, kernels::most_parts);
  kernels::sum<T>(device.target(), x, beta, s, parts.view().address());
}

/// s = sum of all x y + beta s, added in double
template <class T>
void dot(cuda& device, device_view<const T> x, device_view<const T> y, T beta, device_view<T> s) {
  const cuda_scratch<double> parts(device, 1, kernels::most_parts);
  kernels::dot<T>(device.target(), x, y, beta, s, parts.view().address());
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/elementwise.cuh"
#endif
