// Definitions of backend/cuda/sgd.hpp.
#pragma once

#include "mor1e/backend/cuda/sgd.hpp"
#include "mor1e/kernels/pack.cuh"
#include "mor1e/kernels/tensor_chunks.cuh"

namespace mor1e::backend::kernels {

/// A block a chunk. Each value is read and written once, by 16 bytes where all tensors allow it.
template <class T>
__global__ void __launch_bounds__(256)
    sgd_update_kernel(const sgd_entry<T>* tensors, int count, sgd_step step, std::int32_t* finite) {
  const int number = tensor_of(tensors, count, blockIdx.x);
  const sgd_entry<T> x = tensors[number];
  const sgd_constants<T> c(step, x.learning_rate_scale, x.decays);
  bool good = true;
  each_in_chunk<T>(x, [&]<int M>(index_t at) {
    const pack<T, M> gradient = load<M>(x.gradient + at);
    pack<T, M> value = load<M>(x.value + at), velocity = {};
    if (x.velocity) velocity = load<M>(x.velocity + at);
#pragma unroll
    for (int k = 0; k < M; ++k) {
      const T g = gradient.at[k] + c.pull * value.at[k];
      T change = g;
      if (x.velocity) {
        velocity.at[k] = c.momentum * velocity.at[k] + g;
        change = c.of_gradient * g + c.of_velocity * velocity.at[k];
      }
      value.at[k] -= c.rate * change;
      good &= isfinite(value.at[k]) && isfinite(velocity.at[k]);
    }
    *reinterpret_cast<pack<T, M>*>(x.value + at) = value;
    if (x.velocity) *reinterpret_cast<pack<T, M>*>(x.velocity + at) = velocity;
  });
  if (!__syncthreads_and(good) && threadIdx.x == 0) finite[number] = 0;
}

template <class T>
void sgd_update(launch_target target, const sgd_entry<T>* tensors, int count, index_t chunks, const sgd_step& step,
                std::int32_t* finite) {
  if (chunks == 0) return;
  sgd_update_kernel<<<unsigned(chunks), 256, 0, target.stream>>>(tensors, count, step, finite);
  check_launch("sgd_update");
}

}  // namespace mor1e::backend::kernels
