// What every kernel file uses: a matrix that kernels may index, and sums over warps.
#pragma once

#include <cuda_runtime.h>

#include "mor1e/backend/cuda/device.hpp"

namespace mor1e::kernels::detail {

/// A device_view inside a kernel.
template <class T>
struct matrix {
  T* data = nullptr;
  index_t rows = 0, cols = 0, stride = 0;

  matrix() = default;
  template <class U>
  explicit matrix(const device_view<U>& v) : data(v.address()), rows(v.rows), cols(v.cols), stride(v.stride) {}

  __device__ T* row(index_t i) const { return data + i * stride; }
  __device__ T& operator()(index_t i, index_t j) const { return data[i * stride + j]; }
  __device__ T& operator[](index_t i) const { return data[i]; }
};
template <class U>
matrix(const device_view<U>&) -> matrix<U>;

/// value + beta old. With beta 0, `old` is not read.
template <class T>
__device__ T blend(T value, T beta, const T& old) {
  return beta == T(0) ? value : value + beta * old;
}

/// The sum, or the largest, over a warp, in all of its lanes
template <class T>
__device__ T warp_sum(T x) {
#pragma unroll
  for (int o = 16; o > 0; o /= 2) x += __shfl_xor_sync(0xffffffffu, x, o);
  return x;
}
template <class T>
__device__ T warp_max(T x) {
#pragma unroll
  for (int o = 16; o > 0; o /= 2) {
    const T other = __shfl_xor_sync(0xffffffffu, x, o);
    x = other > x ? other : x;
  }
  return x;
}

}  // namespace mor1e::kernels::detail
