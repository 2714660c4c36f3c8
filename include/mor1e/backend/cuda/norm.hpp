// Root-mean-square, layer and length normalisation of each row.
#pragma once

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/backend/cuda/reduction.hpp"

namespace mor1e::backend {

// Defined in kernels/norm.cuh.
namespace kernels {
template <class T>
void rms_norm_forward(launch_target, device_view<const T> x, device_view<const T> w, T eps, T offset, device_view<T> y,
                      device_view<T> rstd);
template <class T>
void rms_norm_backward(launch_target, device_view<const T> x, device_view<const T> w, T offset,
                       device_view<const T> rstd, device_view<const T> dy, T beta, device_view<T> dx);
template <class T>
void rms_norm_weight_gradient(launch_target, device_view<const T> x, device_view<const T> rstd, device_view<const T> dy,
                              T beta, device_view<T> dw, T* parts);
template <class T>
void layer_norm_forward(launch_target, device_view<const T> x, device_view<const T> w, device_view<const T> b, T eps,
                        device_view<T> y, device_view<T> mean, device_view<T> rstd);
template <class T>
void layer_norm_backward(launch_target, device_view<const T> x, device_view<const T> w, device_view<const T> mean,
                         device_view<const T> rstd, device_view<const T> dy, T beta, device_view<T> dx);
template <class T>
void layer_norm_weight_gradient(launch_target, device_view<const T> x, device_view<const T> mean,
                                device_view<const T> rstd, device_view<const T> dy, T beta, device_view<T> dw,
                                T* parts);
template <class T>
void normalise_rows_forward(launch_target, device_view<const T> x, T eps, device_view<T> y, device_view<T> r);
template <class T>
void normalise_rows_backward(launch_target, device_view<const T> y, device_view<const T> r, T eps,
                             device_view<const T> dy, T beta, device_view<T> dx);
}  // namespace kernels

/// rstd = 1 / sqrt(mean x^2 + eps); y = (offset + w) * x * rstd
template <class T>
void rms_norm_forward(cuda& device, device_view<const T> x, device_view<const T> w, T eps, T offset, device_view<T> y,
                      device_view<T> rstd) {
  kernels::rms_norm_forward<T>(device.target(), x, w, eps, offset, y, rstd);
}

/// With n = x * rstd and g = dy * (offset + w): dx = rstd * (g - n * mean(g n)) + beta dx
template <class T>
void rms_norm_backward(cuda& device, device_view<const T> x, device_view<const T> w, T offset,
                       device_view<const T> rstd, device_view<const T> dy, T beta, device_view<T> dx) {
  kernels::rms_norm_backward<T>(device.target(), x, w, offset, rstd, dy, beta, dx);
}

/// dw = sum over rows of dy * x * rstd, + beta dw
template <class T>
void rms_norm_weight_gradient(cuda& device, device_view<const T> x, device_view<const T> rstd, device_view<const T> dy,
                              T beta, device_view<T> dw) {
  const cuda_scratch<T> parts(device, kernels::column_parts(x.rows, x.cols), x.cols);
  kernels::rms_norm_weight_gradient<T>(device.target(), x, rstd, dy, beta, dw, parts.view().address());
}

/// rstd = 1 / sqrt(mean (x - mean)^2 + eps); y = w (x - mean) rstd + b
template <class T>
void layer_norm_forward(cuda& device, device_view<const T> x, device_view<const T> w, device_view<const T> b, T eps,
                        device_view<T> y, device_view<T> mean, device_view<T> rstd) {
  kernels::layer_norm_forward<T>(device.target(), x, w, b, eps, y, mean, rstd);
}

/// With n = (x - mean) rstd and g = dy w: dx = rstd (g - mean(g) - n mean(g n)) + beta dx
template <class T>
void layer_norm_backward(cuda& device, device_view<const T> x, device_view<const T> w, device_view<const T> mean,
                         device_view<const T> rstd, device_view<const T> dy, T beta, device_view<T> dx) {
  kernels::layer_norm_backward<T>(device.target(), x, w, mean, rstd, dy, beta, dx);
}

/// dw = sum over rows of dy (x - mean) rstd, + beta dw
template <class T>
void layer_norm_weight_gradient(cuda& device, device_view<const T> x, device_view<const T> mean,
                                device_view<const T> rstd, device_view<const T> dy, T beta, device_view<T> dw) {
  const cuda_scratch<T> parts(device, kernels::column_parts(x.rows, x.cols), x.cols);
  kernels::layer_norm_weight_gradient<T>(device.target(), x, mean, rstd, dy, beta, dw, parts.view().address());
}

/// y = r x, r = 1 / max(|x|, eps)
template <class T>
void normalise_rows_forward(cuda& device, device_view<const T> x, T eps, device_view<T> y, device_view<T> r) {
  kernels::normalise_rows_forward<T>(device.target(), x, eps, y, r);
}

/// dx = r (dy - y <y, dy>) + beta dx, without the second term where |x| < eps
template <class T>
void normalise_rows_backward(cuda& device, device_view<const T> y, device_view<const T> r, T eps,
                             device_view<const T> dy, T beta, device_view<T> dx) {
  kernels::normalise_rows_backward<T>(device.target(), y, r, eps, dy, beta, dx);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/norm.cuh"
#endif
