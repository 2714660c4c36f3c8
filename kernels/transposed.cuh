// Definitions of backend/cuda/transposed.hpp.
#pragma once

#include <algorithm>

#include "mor1e/backend/cuda/transposed.hpp"
#include "mor1e/kernels/pack.cuh"

namespace mor1e::backend::kernels {

inline constexpr int transpose_tile = 32;

/// A tile by way of shared memory, so that both sides are accessed along their rows. One column more than the tile has
/// puts the elements of a column into different banks.
template <class T>
__global__ void __launch_bounds__(256) transposed_kernel(device_view<const T> x, T beta, device_view<T> y) {
  constexpr int tile = transpose_tile, high = 256 / tile;
  __shared__ T kept[tile][tile + 1];
  const int lane = threadIdx.x, row = threadIdx.y;
  const index_t left = blockIdx.x * index_t(tile);  // column of x
  for (index_t top = blockIdx.y * index_t(tile); top < x.rows; top += gridDim.y * index_t(tile)) {
    __syncthreads();  // of the tile before
#pragma unroll
    for (int r = row; r < tile; r += high)
      if (top + r < x.rows && left + lane < x.cols) kept[r][lane] = x.address()[(top + r) * x.stride + left + lane];
    __syncthreads();
#pragma unroll
    for (int r = row; r < tile; r += high)
      if (left + r < y.rows && top + lane < y.cols) store(y, left + r, top + lane, pack<T, 1>{{kept[lane][r]}}, beta);
  }
}

template <class T>
void transposed(launch_target target, device_view<const T> x, T beta, device_view<T> y) {
  if (x.size() == 0) return;
  const auto tiles = [](index_t n) { return (n + transpose_tile - 1) / transpose_tile; };
  const dim3 grid(unsigned(tiles(x.cols)), unsigned(std::min<index_t>(tiles(x.rows), 65535)));
  transposed_kernel<<<grid, dim3(transpose_tile, 256 / transpose_tile), 0, target.stream>>>(x, beta, y);
  check_launch("transposed");
}

}  // namespace mor1e::backend::kernels
