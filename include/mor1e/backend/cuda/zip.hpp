// Functions of two elements, one of each operand, and the choice between two. A row, a column or a single number is
// repeated.
#pragma once

#include "mor1e/backend/cuda/elementwise.hpp"

namespace mor1e::backend {

// Defined in kernels/zip.cuh; for functions of a user's see MOR1E_CUDA_ZIP there.
namespace kernels {
template <class F, class T>
void zip_forward(launch_target, F f, device_view<const T> a, device_view<const T> b, T beta, device_view<T> y);
/// dx of the shape of dy
template <class F, class T>
void zip_backward(launch_target, F f, device_view<const T> a, device_view<const T> b, device_view<const T> dy, T beta,
                  device_view<T> dx);
/// dx [1, 1]
template <class F, class T>
void zip_backward_sum(launch_target, F f, device_view<const T> a, device_view<const T> b, device_view<const T> dy,
                      T beta, device_view<T> dx, double* parts);
/// dx [1, cols]
template <class F, class T>
void zip_backward_columns(launch_target, F f, device_view<const T> a, device_view<const T> b, device_view<const T> dy,
                          T beta, device_view<T> dx, T* parts);
/// dx [rows, 1]
template <class F, class T>
void zip_backward_rows(launch_target, F f, device_view<const T> a, device_view<const T> b, device_view<const T> dy,
                       T beta, device_view<T> dx);
template <class F, class T>
void zip_sum(launch_target, F f, T alpha, device_view<const T> a, device_view<const T> b, device_view<T> y,
             double* parts);
template <class F, class T>
void zip_sum_backward(launch_target, F f, T alpha, device_view<const T> a, device_view<const T> b,
                      device_view<const T> dy, T beta, device_view<T> dx);
template <class T>
void select(launch_target, device_view<const T> mask, device_view<const T> a, device_view<const T> b, device_view<T> y);
}  // namespace kernels

/// y = f(a, b) + beta y
template <class F, class T>
void zip_forward(cuda& device, F f, device_view<const T> a, device_view<const T> b, T beta, device_view<T> y) {
  kernels::zip_forward<F, T>(device.target(), f, a, b, beta, y);
}

/// dx = dy f(a, b) + beta dx, f being the derivative by the operand x; summed over the axes along which x is repeated,
/// in double where x is a single number.
template <class F, class T>
void zip_backward(cuda& device, F f, device_view<const T> a, device_view<const T> b, device_view<const T> dy, T beta,
                  device_view<T> dx) {
  if (dx.rows == dy.rows && dx.cols == dy.cols) {
    kernels::zip_backward<F, T>(device.target(), f, a, b, dy, beta, dx);
  } else if (dx.rows == 1 && dx.cols == 1) {
    const cuda_scratch<double> parts(device, 1, kernels::most_parts);
    kernels::zip_backward_sum<F, T>(device.target(), f, a, b, dy, beta, dx, parts.view().address());
  } else if (dx.cols == 1) {
    kernels::zip_backward_rows<F, T>(device.target(), f, a, b, dy, beta, dx);
  } else {
    const cuda_scratch<T> parts(device, kernels::column_parts(dy.rows, dy.cols), dy.cols);
    kernels::zip_backward_columns<F, T>(device.target(), f, a, b, dy, beta, dx, parts.view().address());
  }
}

/// y = alpha times the sum of f(a, b) over all elements, added in double.             a, b of one shape, y [1, 1]
template <class F, class T>
void zip_sum(cuda& device, F f, T alpha, device_view<const T> a, device_view<const T> b, device_view<T> y) {
  const cuda_scratch<double> parts(device, 1, kernels::most_parts);
  kernels::zip_sum<F, T>(device.target(), f, alpha, a, b, y, parts.view().address());
}

/// dx = alpha dy f(a, b) + beta dx for dy [1, 1], f being the derivative by the operand x
template <class F, class T>
void zip_sum_backward(cuda& device, F f, T alpha, device_view<const T> a, device_view<const T> b,
                      device_view<const T> dy, T beta, device_view<T> dx) {
  kernels::zip_sum_backward<F, T>(device.target(), f, alpha, a, b, dy, beta, dx);
}

/// y = a where mask > 0, else b
template <class T>
void select(cuda& device, device_view<const T> mask, device_view<const T> a, device_view<const T> b, device_view<T> y) {
  kernels::select<T>(device.target(), mask, a, b, y);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/zip.cuh"
#endif
