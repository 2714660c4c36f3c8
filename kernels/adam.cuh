// Definitions of backend/cuda/adam.hpp.
#pragma once

#include <cmath>

#include "mor1e/backend/cuda/adam.hpp"
#include "mor1e/kernels/pack.cuh"
#include "mor1e/kernels/tensor_chunks.cuh"

namespace mor1e::backend::kernels {

/// A block a chunk. Each value is read and written once, by 16 bytes where all four tensors allow it.
template <class T>
__global__ void __launch_bounds__(256) adam_update_kernel(const adam_entry<T>* tensors, int count, adam_constants<T> c,
                                                          const double* norm, std::int32_t* finite) {
  if (norm && !isfinite(*norm)) return;
  const int number = tensor_of(tensors, count, blockIdx.x);
  const adam_entry<T> x = tensors[number];
  const adam_rates<T> r(c, x.learning_rate_scale, x.decays);
  bool good = true;
  each_in_chunk<T>(x, [&]<int M>(index_t at) {
    const pack<T, M> gradient = load<M>(x.gradient + at);
    pack<T, M> value = load<M>(x.value + at), first = load<M>(x.first + at), second = load<M>(x.second + at);
#pragma unroll
    for (int k = 0; k < M; ++k) {
      const T g = gradient.at[k] + r.pull * value.at[k];
      first.at[k] = c.beta1 * first.at[k] + c.keep1 * g;
      second.at[k] = c.beta2 * second.at[k] + c.keep2 * g * g;
      value.at[k] = value.at[k] * r.shrink - r.step * first.at[k] / (sqrt(second.at[k]) * c.correct2 + c.epsilon);
      good &= isfinite(value.at[k]) && isfinite(second.at[k]);
    }
    *reinterpret_cast<pack<T, M>*>(x.value + at) = value;
    *reinterpret_cast<pack<T, M>*>(x.first + at) = first;
    *reinterpret_cast<pack<T, M>*>(x.second + at) = second;
  });
  if (!__syncthreads_and(good) && threadIdx.x == 0) finite[number] = 0;
}

template <class T>
void adam_update(launch_target target, const adam_entry<T>* tensors, int count, index_t chunks,
                 const adam_constants<T>& constants, const double* norm, std::int32_t* finite) {
  if (chunks == 0) return;
  adam_update_kernel<<<unsigned(chunks), 256, 0, target.stream>>>(tensors, count, constants, norm, finite);
  check_launch("adam_update");
}

}  // namespace mor1e::backend::kernels
