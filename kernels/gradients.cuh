// Definitions of backend/cuda/gradients.hpp.
#pragma once

#include "mor1e/backend/clip_factor.hpp"
#include "mor1e/backend/cuda/gradients.hpp"
#include "mor1e/kernels/tensor_chunks.cuh"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

/// A block a chunk.
template <class T>
__global__ void __launch_bounds__(256) clear_tensors_kernel(const tensor_entry<T>* tensors, int count) {
  const tensor_entry<T> x = tensors[tensor_of(tensors, count, blockIdx.x)];
  each_in_chunk<T>(x, [&]<int M>(index_t at) { *reinterpret_cast<pack<T, M>*>(x.at + at) = {}; });
}

template <class T>
void clear_tensors(launch_target target, const tensor_entry<T>* tensors, int count, index_t chunks) {
  if (chunks == 0) return;
  clear_tensors_kernel<<<unsigned(chunks), 256, 0, target.stream>>>(tensors, count);
  check_launch("clear_tensors");
}

/// The sum of the squares of a chunk, in double.
template <class T>
__global__ void __launch_bounds__(256)
    chunk_squares_kernel(const tensor_entry<T>* tensors, int count, double* of_chunk) {
  const tensor_entry<T> x = tensors[tensor_of(tensors, count, blockIdx.x)];
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
    tensor_squares_kernel(const tensor_entry<T>* tensors, int count, const double* of_chunk, double* y) {
  const int number = int(blockIdx.x * blockDim.y + threadIdx.y);
  if (number >= count) return;
  const index_t first = tensors[number].first_chunk, last = first + chunks_of(tensors[number].size);
  double sum = 0;
  for (index_t c = first + threadIdx.x; c < last; c += 32) sum += of_chunk[c];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) y[number] = sum;
}

template <class T>
void square_sums(launch_target target, const tensor_entry<T>* tensors, int count, index_t chunks, double* of_chunk,
                 double* y) {
  if (count == 0) return;
  if (chunks > 0) chunk_squares_kernel<<<unsigned(chunks), 256, 0, target.stream>>>(tensors, count, of_chunk);
  tensor_squares_kernel<<<unsigned((count + 7) / 8), dim3(32, 8), 0, target.stream>>>(tensors, count, of_chunk, y);
  check_launch("square_sums");
}

/// A block a chunk. Each adds all squares, in the same order, rather than wait for a launch that does; where the factor
/// is 1 that is all.
template <class T>
__global__ void __launch_bounds__(256) clip_tensors_kernel(const tensor_entry<T>* tensors, int count, double max_norm,
                                                           device_view<const double> squares, double* norm) {
  double sum = 0;
  for (index_t i = threadIdx.x; i < squares.size(); i += 256) sum += squares.address()[i];
  sum = combine_block<lane_sum<double>, 8>(sum);
  const double length = sqrt(sum), factor = clip_factor(length, max_norm);
  if (blockIdx.x == 0 && threadIdx.x == 0) *norm = length;
  if (factor == 1) return;
  const tensor_entry<T> x = tensors[tensor_of(tensors, count, blockIdx.x)];
  each_in_chunk<T>(x, [&]<int M>(index_t at) {
    pack<T, M> v = load<M>(x.at + at);
#pragma unroll
    for (int k = 0; k < M; ++k) v.at[k] *= T(factor);
    *reinterpret_cast<pack<T, M>*>(x.at + at) = v;
  });
}

template <class T>
void clip_tensors(launch_target target, const tensor_entry<T>* tensors, int count, index_t chunks, double max_norm,
                  device_view<const double> squares, double* norm) {
  if (chunks == 0) max_norm = 0;  // nothing to scale: one block for the norm
  clip_tensors_kernel<<<max_norm == 0 ? 1u : unsigned(chunks), 256, 0, target.stream>>>(tensors, count, max_norm,
                                                                                        squares, norm);
  check_launch("clip_tensors");
}

}  // namespace mor1e::backend::kernels
