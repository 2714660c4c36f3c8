// Which tensor a block works on, in launches over many.
#pragma once

#include "mor1e/backend/cuda/tensor_chunks.hpp"

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

}  // namespace mor1e::backend::kernels
