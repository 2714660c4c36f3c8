// Norms of the rows of an updated weight, and columns scaled to other norms.
#pragma once

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/backend/cuda/reduction.hpp"

namespace mor1e::backend {

// Defined in kernels/row_norms.cuh.
namespace kernels {
template <class T>
void updated_row_norms(launch_target, device_view<const T> squares, device_view<const T> u, device_view<const T> d,
                       device_view<T> n);
template <class T>
void scale_columns(launch_target, device_view<const T> m, device_view<const T> n, device_view<const T> x, T beta,
                   device_view<T> y);
template <class T>
void scale_columns_gradient(launch_target, device_view<const T> n, device_view<const T> x, device_view<const T> dy,
                            T beta, device_view<T> dm, T* parts);
}  // namespace kernels

/// n_o = sqrt(squares_o + sum_k u_ok d_ko); 1 for a row of zeros, which no division by it changes
template <class T>
void updated_row_norms(cuda& device, device_view<const T> squares, device_view<const T> u, device_view<const T> d,
                       device_view<T> n) {
  kernels::updated_row_norms<T>(device.target(), squares, u, d, n);
}

/// y_ij = x_ij m_j / n_j + beta y_ij
template <class T>
void scale_columns(cuda& device, device_view<const T> m, device_view<const T> n, device_view<const T> x, T beta,
                   device_view<T> y) {
  kernels::scale_columns<T>(device.target(), m, n, x, beta, y);
}

/// dm_j = sum_i dy_ij x_ij / n_j + beta dm_j
template <class T>
void scale_columns_gradient(cuda& device, device_view<const T> n, device_view<const T> x, device_view<const T> dy,
                            T beta, device_view<T> dm) {
  const cuda_scratch<T> parts(device, kernels::column_parts(x.rows, x.cols), x.cols);
  kernels::scale_columns_gradient<T>(device.target(), n, x, dy, beta, dm, parts.view().address());
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/row_norms.cuh"
#endif
