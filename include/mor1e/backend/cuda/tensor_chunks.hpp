// Many tensors in one launch: a table of them (`cuda::table`), and chunks that are a block each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mor1e/backend/cuda/device.hpp"

namespace mor1e::backend {

namespace kernels {

/// Tensors are cut into chunks, one a block.
inline constexpr index_t chunk_elements = 4096;
MOR1E_HD inline index_t chunks_of(index_t size) { return (size + chunk_elements - 1) / chunk_elements; }

}  // namespace kernels

namespace detail {

template <class... T>
bool by_16_bytes(device_view<T>... x) {
  return ((reinterpret_cast<std::uintptr_t>(x.address()) % 16 == 0) && ...);
}

/// A table of tensors as kernels read it, in the memory of the device. `entry(x, chunk)` is that of tensor x, whose
/// chunks are numbered from `chunk` on; an Entry holds its `size`, and no padding, since tables are compared by bytes.
template <class Entry>
struct tensor_table {
  const Entry* entries;
  int count;
  index_t chunks = 0;

  template <class Tensor, class F>
  tensor_table(cuda& device, std::span<const Tensor> tensors, F entry) : count(int(tensors.size())) {
    std::vector<Entry> all;
    all.reserve(tensors.size());
    for (const Tensor& x : tensors) {
      all.push_back(entry(x, chunks));
      chunks += kernels::chunks_of(all.back().size);
    }
    entries = device.table(std::span<const Entry>(all));
  }
};

}  // namespace detail

}  // namespace mor1e::backend
