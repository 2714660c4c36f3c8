// The largest element of a matrix, of each column or of each row.
#pragma once

#include "mor1e/backend/cuda/elementwise.hpp"

namespace mor1e::backend {

// Defined in kernels/largest.cuh.
namespace kernels {
template <class T>
void largest(launch_target, T sign, device_view<const T> x, device_view<T> y, T* parts);
template <class T>
void largest_backward(launch_target, device_view<const T> x, device_view<const T> y, device_view<const T> dy,
                      device_view<T> dx, index_t* parts);
}  // namespace kernels

namespace detail {
/// How many parts a reduction of x to the shape of y needs memory for.
inline index_t reduction_memory(index_t rows, index_t cols, index_t y_rows, index_t y_cols) {
  if (y_cols > 1) return kernels::column_parts(rows, cols) * cols;
  return y_rows > 1 ? 0 : kernels::most_parts;
}
}  // namespace detail

/// y = the largest element of sign x, times sign: the smallest for sign = -1. The shape of y says of what: [1, 1] of
/// all, [1, cols] of each column, [rows, 1] of each row, none of them empty. NaN if one is NaN.
template <class T>
void largest(cuda& device, T sign, device_view<const T> x, device_view<T> y) {
  if (y.size() == 0) return;
  const cuda_scratch<T> parts(device, 1, detail::reduction_memory(x.rows, x.cols, y.rows, y.cols));
  kernels::largest<T>(device.target(), sign, x, y, parts.view().address());
}

/// dx = beta dx, then dy is added at the first element of x that is y, y being as above
template <class T>
void largest_backward(cuda& device, device_view<const T> x, device_view<const T> y, device_view<const T> dy, T beta,
                      device_view<T> dx) {
  rescale(device, beta, dx);
  if (y.size() == 0) return;
  const cuda_scratch<index_t> parts(device, 1, detail::reduction_memory(x.rows, x.cols, y.rows, y.cols));
  kernels::largest_backward<T>(device.target(), x, y, dy, dx, parts.view().address());
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/largest.cuh"
#endif
