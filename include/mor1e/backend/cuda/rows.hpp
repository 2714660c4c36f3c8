// Sums, copies and gathers of rows.
#pragma once

#include <cstdint>

#include "mor1e/backend/cuda/elementwise.hpp"

namespace mor1e::backend {

// Defined in kernels/rows.cuh; S is what a table is stored as.
namespace kernels {
template <class S, class T>
void gather_rows(launch_target, T alpha, device_view<const S> x, device_view<const std::int32_t> index,
                 device_view<T> y);
template <class T>
void scatter_rows(launch_target, T alpha, device_view<const T> dy, device_view<const std::int32_t> index,
                  device_view<T> dx);
template <class T>
void column_sums(launch_target, device_view<const T> x, T beta, device_view<T> s, T* parts);
template <class T>
void row_sums(launch_target, device_view<const T> x, device_view<T> s);
template <class T>
void segment_mean_forward(launch_target, device_view<const T> x, device_view<const std::int32_t> segments,
                          device_view<T> y);
template <class T>
void segment_mean_backward(launch_target, device_view<const std::int32_t> segments, device_view<const T> dy, T beta,
                           device_view<T> dx);
}  // namespace kernels

/// y_ij += b_j
template <class T>
void add_bias(cuda& device, device_view<const T> b, device_view<T> y) {
  kernels::broadcast<T>(device.target(), {b.address(), 1, y.cols}, T(1), y);
}

/// s_j = sum_i x_ij + beta s_j
template <class T>
void column_sums(cuda& device, device_view<const T> x, T beta, device_view<T> s) {
  const cuda_scratch<T> parts(device, kernels::column_parts(x.rows, x.cols), x.cols);
  kernels::column_sums<T>(device.target(), x, beta, s, parts.view().address());
}

/// y_i = alpha x_index[i]; a negative index gives a row of zeros. One past the end of x gives a row of NaN: to throw,
/// the host would have to wait for the device.
template <class T>
void gather_rows(cuda& device, T alpha, device_view<const T> x, device_view<const std::int32_t> index,
                 device_view<T> y) {
  kernels::gather_rows<T, T>(device.target(), alpha, x, index, y);
}

/// dx_index[i] += alpha dy_i in the order of i, after dx = beta dx. An index past the end of dx names no row.
template <class T>
void scatter_rows(cuda& device, T alpha, device_view<const T> dy, device_view<const std::int32_t> index, T beta,
                  device_view<T> dx) {
  rescale(device, beta, dx);
  kernels::scatter_rows<T>(device.target(), alpha, dy, index, dx);
}

/// s_i = sum_j x_ij
template <class T>
void row_sums(cuda& device, device_view<const T> x, device_view<T> s) {
  kernels::row_sums<T>(device.target(), x, s);
}

/// y_s = mean of the rows [begin, end) of segment s (columns 0 and 1 of `segments`); zeros for an empty one, NaN for
/// one that is not within x
template <class T>
void segment_mean_forward(cuda& device, device_view<const T> x, device_view<const std::int32_t> segments,
                          device_view<T> y) {
  kernels::segment_mean_forward<T>(device.target(), x, segments, y);
}

/// dx_i += dy_s / (rows of s) for the rows of each segment, after dx = beta dx
template <class T>
void segment_mean_backward(cuda& device, device_view<const std::int32_t> segments, device_view<const T> dy, T beta,
                           device_view<T> dx) {
  kernels::segment_mean_backward<T>(device.target(), segments, dy, beta, dx);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/rows.cuh"
#endif
