// The sum of exponentials of numbers that come one after another.
#pragma once

#include "mor1e/core/math.hpp"
#include "mor1e/kernels/reduce.cuh"

namespace mor1e::backend::kernels {

/// sum exp(x - largest), and the largest of the x
template <class T>
struct scaled_exp_sum {
  T largest, sum;

  /// log sum exp x
  __device__ T log() const { return largest + math::log(sum); }
};

/// What sums of exponentials of a row have in common. Two sums are brought to the larger of their largest.
template <class T>
struct scaled_exp_sum_term {
  using value = scaled_exp_sum<T>;
  // Finite, so that the difference of two such is 0 and not NaN.
  static __device__ value identity() { return {T(-1e30), T(0)}; }
  static __device__ value combine(value a, value b) {
    const T largest = b.largest > a.largest ? b.largest : a.largest;
    return {largest, a.sum * math::exp(a.largest - largest) + b.sum * math::exp(b.largest - largest)};
  }
  template <int N>
  static __device__ pack<value, N> of(const pack<T, N>& x) {
    pack<value, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) out.at[k] = {x.at[k], T(1)};
    return out;
  }
};

}  // namespace mor1e::backend::kernels
