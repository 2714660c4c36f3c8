// Definitions of backend/cuda/adam.hpp.
#pragma once

#include <cmath>

#include "mor1e/backend/cuda/adam.hpp"
#include "mor1e/kernels/tensor_chunks.cuh"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

/// A block a chunk. Each value is read and written once, by 16 bytes where all four tensors allow it.
template <class T>
__global__ void __launch_bounds__(256)
    adam_update_kernel(const adam_entry<T>* tensors, int count, std::int32_t* finite) {
  const int number = tensor_of(tensors, count, blockIdx.x);
  const adam_entry<T> x = tensors[number];
  bool good = true;
  each_in_chunk<T>(x, [&]<int M>(index_t at) {
    const pack<T, M> gradient = load<M>(x.gradient + at);
    pack<T, M> value = load<M>(x.value + at), first = load<M>(x.first + at), second = load<M>(x.second + at);
#pragma unroll
    for (int k = 0; k < M; ++k) {
      const T g = gradient.at[k] + x.constants.pull * value.at[k];
      first.at[k] = x.constants.beta1 * first.at[k] + x.constants.keep1 * g;
      second.at[k] = x.constants.beta2 * second.at[k] + x.constants.keep2 * g * g;
      value.at[k] = value.at[k] * x.constants.shrink -
                    x.constants.step * first.at[k] / (sqrt(second.at[k]) * x.constants.correct2 + x.constants.epsilon);
      good &= isfinite(value.at[k]) && isfinite(second.at[k]);
    }
    *reinterpret_cast<pack<T, M>*>(x.value + at) = value;
    *reinterpret_cast<pack<T, M>*>(x.first + at) = first;
    *reinterpret_cast<pack<T, M>*>(x.second + at) = second;
  });
  if (!__syncthreads_and(good) && threadIdx.x == 0) finite[number] = 0;
}

template <class T>
void adam_update(launch_target target, const adam_entry<T>* tensors, int count, index_t chunks, std::int32_t* finite) {
  if (chunks == 0) return;
  adam_update_kernel<<<unsigned(chunks), 256, 0, target.stream>>>(tensors, count, finite);
  check_launch("adam_update");
}

/// The sum of the squares of a chunk, in double.
template <class T>
__global__ void __launch_bounds__(256)
    chunk_squares_kernel(const square_entry<T>* tensors, int count, double* of_chunk) {
  const square_entry<T> x = tensors[tensor_of(tensors, count, blockIdx.x)];
  double sum = 0;
  each_in_chunk<T>(x, [&]<int M>(index_t at) {
    const pack<T, M> v = load<M>(x.at + at);
#pragma unroll
    for (int k = 0; k < M; ++k) sum += double(v.at[k]) * double(v.at[k]);
  });
  sum = combine_block<lane_sum<double>, 8>(sum);
  if (threadIdx.x == 0) of_chunk[blockIdx.x] = sum;
}

/// A warp a tensor: the sums of its chunks.
template <class T>
__global__ void __launch_bounds__(256)
    tensor_squares_kernel(const square_entry<T>* tensors, int count, const double* of_chunk, double* y) {
  const int number = int(blockIdx.x * blockDim.y + threadIdx.y);
  if (number >= count) return;
  const index_t first = tensors[number].first_chunk, last = first + chunks_of(tensors[number].size);
  double sum = 0;
  for (index_t c = first + threadIdx.x; c < last; c += 32) sum += of_chunk[c];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) y[number] = sum;
}

template <class T>
void square_sums(launch_target target, const square_entry<T>* tensors, int count, index_t chunks, double* of_chunk,
                 double* y) {
  if (count == 0) return;
  if (chunks > 0) chunk_squares_kernel<<<unsigned(chunks), 256, 0, target.stream>>>(tensors, count, of_chunk);
  tensor_squares_kernel<<<unsigned((count + 7) / 8), dim3(32, 8), 0, target.stream>>>(tensors, count, of_chunk, y);
  check_launch("square_sums");
}

}  // namespace mor1e::backend::kernels
