// What the lanes of a warp find out together.
#pragma once

#include "mor1e/kernels/reduce.cuh"

namespace mor1e::backend::kernels {

/// How values of lanes are combined, for `combine_warp` and `combine_block`.
template <class T>
struct lane_sum {
  using value = T;
  static __device__ T combine(T a, T b) { return a + b; }
};
template <class T>
struct lane_max {
  using value = T;
  static __device__ T combine(T a, T b) { return b > a ? b : a; }
};

/// The sum, or the largest, of what the lanes of a warp have, in every lane
template <class T>
__device__ T warp_sum(T x) {
  return combine_warp<lane_sum<T>>(x);
}
template <class T>
__device__ T warp_max(T x) {
  return combine_warp<lane_max<T>>(x);
}

}  // namespace mor1e::backend::kernels
