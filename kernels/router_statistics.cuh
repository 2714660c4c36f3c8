// Definitions of backend/cuda/router_statistics.hpp.
#pragma once

#include <cmath>

#include "mor1e/backend/cuda/router_statistics.hpp"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

/// Of the weights of a row: sum |w| and sum |w| log |w|.
struct weight_sums {
  double weight, entropy;
};

/// shares_i = [1 / sum |w|, entropy] of a row that counts, else zeros. With s_j = |w_j| / S the entropy is
/// log S - sum |w_j| log |w_j| / S: one pass.
template <class T>
struct row_shares_term {
  using value = weight_sums;
  static __device__ value identity() { return {0, 0}; }
  static __device__ value combine(value a, value b) { return {a.weight + b.weight, a.entropy + b.entropy}; }

  device_view<const T> w;
  device_view<const std::int32_t> instances;
  device_view<double> shares;

  template <int N>
  __device__ pack<value, N> at(index_t i, index_t j) const {
    const pack<T, N> v = load<N>(w, i, j);
    pack<value, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const double x = fabs(double(v.at[k]));
      out.at[k] = {x, x > 0 ? x * ::log(x) : 0.0};
    }
    return out;
  }
  __device__ void finish(index_t i, value total) const {
    const bool counts = *row(instances, i) >= 0 && total.weight > 0;
    row(shares, i)[0] = counts ? 1 / total.weight : 0.0;
    row(shares, i)[1] = counts ? ::log(total.weight) - total.entropy / total.weight : 0.0;
  }
};

/// Column 0: the entropies; column 1 + j: the shares of expert j; the last: how many rows count.
template <class T>
struct share_sums_term : sum_to<double, double> {
  device_view<const T> w;
  device_view<const double> shares;

  template <int N>
  __device__ pack<double, N> at(index_t i, index_t j) const {
    static_assert(N == 1, "columns are of three kinds");
    const double share = row(shares, i)[0];
    return {{j == 0 ? row(shares, i)[1] : j > w.cols ? double(share > 0) : fabs(double(row(w, i)[j - 1])) * share}};
  }
};

template <class T>
__global__ void __launch_bounds__(256) share_means_kernel(const double* sums, device_view<T> out) {
  const index_t j = blockIdx.x * index_t(blockDim.x) + threadIdx.x;
  if (j >= out.cols) return;
  const double rows = sums[out.cols];
  out.address()[j] = T(rows > 0 ? sums[j] / rows : 0.0);
}

template <class T>
void router_statistics(launch_target target, device_view<const T> w, device_view<const std::int32_t> instances,
                       device_view<double> shares, double* sums, double* parts, device_view<T> out) {
  reduce_rows<pack_size<T>>(target, "router_statistics", w.rows, w.cols, aligned(w),
                            row_shares_term<T>{w, instances, shares});
  reduce_columns<1>(target, "router_statistics", w.rows, w.cols + 2, false,
                    share_sums_term<T>{{sums, 1.0, 0.0}, w, shares}, parts);
  share_means_kernel<<<unsigned((out.cols + 255) / 256), 256, 0, target.stream>>>(sums, out);
  check_launch("router_statistics");
}

}  // namespace mor1e::backend::kernels
