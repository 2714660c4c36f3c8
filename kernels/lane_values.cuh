// A row that a warp keeps in the registers of its lanes.
#pragma once

#include <type_traits>

#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

/// Each 32nd of n values, from the number of the lane on: `Held` of them in registers; with Held 0, for any n, read
/// again at each use.
template <class T, int Held>
struct lane_values {
  const T* from;
  T held[Held > 0 ? Held : 1];

  __device__ lane_values(const T* from, int n) : from(from) {
    if constexpr (Held > 0)
#pragma unroll
      for (int k = 0; k < Held; ++k) {
        const int j = int(threadIdx.x) + 32 * k;
        held[k] = j < n ? from[j] : T(0);
      }
  }
  __device__ T at(int k) const { return Held > 0 ? held[Held > 0 ? k : 0] : from[threadIdx.x + 32 * k]; }
};

/// f(k, j) for the columns j = lane + 32 k below n
template <int Held, class F>
__device__ void each_lane_value(int n, const F& f) {
  if constexpr (Held > 0) {
#pragma unroll
    for (int k = 0; k < Held; ++k)
      if (int(threadIdx.x) + 32 * k < n) f(k, int(threadIdx.x) + 32 * k);
  } else {
    for (int k = 0, j = threadIdx.x; j < n; ++k, j += 32) f(k, j);
  }
}

/// f with how many values of a row of `columns` a lane holds: the least that suffices; 0 beyond 256 of them.
template <class F>
void with_held_values(int columns, const F& f) {
  if (columns <= 32) return f(std::integral_constant<int, 1>{});
  if (columns <= 64) return f(std::integral_constant<int, 2>{});
  if (columns <= 128) return f(std::integral_constant<int, 4>{});
  if (columns <= 256) return f(std::integral_constant<int, 8>{});
  f(std::integral_constant<int, 0>{});
}

}  // namespace mor1e::backend::kernels
