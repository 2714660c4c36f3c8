// Which tensor a block works on, in launches over many.
#pragma once

#include "mor1e/backend/cuda/tensor_chunks.hpp"
#include "mor1e/kernels/pack.cuh"

namespace mor1e::backend::kernels {

/// The number of the tensor that a chunk is of.
template <class Entry>
__device__ int tensor_of(const Entry* tensors, int count, index_t chunk) {
  int low = 0, high = count - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (tensors[middle].first_chunk <= chunk)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

/// f<M>(at) for each M elements from `at` on of the chunk that this block has of a tensor: packs where they may be
/// accessed so, then single elements.
template <class T, class Entry, class F>
__device__ void each_in_chunk(const Entry& x, const F& f) {
  constexpr int N = pack_size<T>;
  const index_t begin = (blockIdx.x - x.first_chunk) * chunk_elements,
                end = x.size < begin + chunk_elements ? x.size : begin + chunk_elements;
  const index_t packed = x.packs ? begin + (end - begin) / N * N : begin;
  for (index_t at = begin + threadIdx.x * N; at < packed; at += 256 * N) f.template operator()<N>(at);
  for (index_t at = packed + threadIdx.x; at < end; at += 256) f.template operator()<1>(at);
}

}  // namespace mor1e::backend::kernels
