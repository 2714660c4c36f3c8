// Definitions of backend/cuda/router_statistics.hpp.
#pragma once

#include <cmath>

#include "mor1e/backend/cuda/router_statistics.hpp"
#include "mor1e/kernels/each_element.cuh"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

/// Rows at a time whose sums a block keeps.
inline constexpr int share_rows = 32;

/// Of a part of the rows for each block: column 0 the sum of the entropies, column 1 + j of the shares of expert j, the
/// last how many rows count. With s_j = |w_j| / S the entropy is log S - sum |w_j| log |w_j| / S.
template <class T>
__global__ void __launch_bounds__(256)
    share_parts_kernel(device_view<const T> w, device_view<const std::int32_t> instances, double* parts) {
  __shared__ double inverse[share_rows], entropy[share_rows];
  const index_t columns = w.cols + 2, end = w.rows * (blockIdx.x + 1) / gridDim.x;
  double* const to = parts + blockIdx.x * columns;
  for (index_t j = threadIdx.x; j < columns; j += blockDim.x) to[j] = 0;
  for (index_t first = w.rows * blockIdx.x / gridDim.x; first < end; first += share_rows) {
    const int rows = int(min(index_t(share_rows), end - first));
    for (int r = threadIdx.x / 32; r < rows; r += blockDim.x / 32) {
      double weight = 0, logarithms = 0;
      for (index_t j = threadIdx.x % 32; j < w.cols; j += 32) {
        const double x = fabs(double(row(w, first + r)[j]));
        weight += x;
        logarithms += x > 0 ? x * ::log(x) : 0.0;
      }
      weight = warp_sum(weight), logarithms = warp_sum(logarithms);
      if (threadIdx.x % 32 == 0) {
        const bool counts = *row(instances, first + r) >= 0 && weight > 0;
        inverse[r] = counts ? 1 / weight : 0.0;
        entropy[r] = counts ? ::log(weight) - logarithms / weight : 0.0;
      }
    }
    __syncthreads();
    for (index_t j = threadIdx.x; j < columns; j += blockDim.x) {
      double sum = to[j];
      for (int r = 0; r < rows; ++r)
        sum += j == 0       ? entropy[r]
               : j > w.cols ? double(inverse[r] > 0)
                            : fabs(double(row(w, first + r)[j - 1])) * inverse[r];
      to[j] = sum;
    }
    __syncthreads();
  }
}

/// The parts joined and divided by the rows that count.
template <class T>
__global__ void __launch_bounds__(256) share_means_kernel(const double* parts, int count, device_view<T> out) {
  const index_t j = blockIdx.x * index_t(blockDim.x) + threadIdx.x, columns = out.cols + 1;
  if (j >= out.cols) return;
  double sum = 0, rows = 0;
  for (int k = 0; k < count; ++k) {
    sum += parts[k * columns + j];
    rows += parts[k * columns + out.cols];
  }
  out.address()[j] = T(rows > 0 ? sum / rows : 0.0);
}

template <class T>
void router_statistics(launch_target target, device_view<const T> w, device_view<const std::int32_t> instances,
                       double* parts, device_view<T> out) {
  const int count = column_parts(w.rows, w.cols + 2);
  share_parts_kernel<<<unsigned(count), 256, 0, target.stream>>>(w, instances, parts);
  share_means_kernel<<<unsigned((out.cols + 255) / 256), 256, 0, target.stream>>>(parts, count, out);
  check_launch("router_statistics");
}

}  // namespace mor1e::backend::kernels
