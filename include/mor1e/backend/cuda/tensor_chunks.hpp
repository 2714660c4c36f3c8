// Many tensors in one launch: a table of them (`cuda::table`), and chunks that are a block each.
#pragma once

#include <cstdint>

#include "mor1e/backend/cuda/device.hpp"

namespace mor1e::backend {

namespace kernels {

/// Tensors are cut into chunks, one a block.
inline constexpr index_t chunk_elements = 4096;
MOR1E_HD inline index_t chunks_of(index_t size) { return (size + chunk_elements - 1) / chunk_elements; }

}  // namespace kernels

namespace detail {

template <class T>
bool by_16_bytes(device_view<T> x) {
  return reinterpret_cast<std::uintptr_t>(x.address()) % 16 == 0;
}

}  // namespace detail

}  // namespace mor1e::backend
