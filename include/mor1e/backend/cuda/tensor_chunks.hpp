// Many tensors in one launch: a table of them, and chunks that are a block each.
#pragma once

#include <cstdint>
#include <vector>

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

/// A table of the host in memory of the device, for the length of a call.
template <class Entry>
class device_table {
 public:
  device_table(cuda& device, const std::vector<Entry>& entries) : memory_(device, 1, index_t(entries.size())) {
    if (!entries.empty()) device.upload(memory_.view().address(), entries.data(), entries.size() * sizeof(Entry));
  }
  const Entry* address() const { return memory_.view().address(); }

 private:
  cuda_scratch<Entry> memory_;
};

}  // namespace detail

}  // namespace mor1e::backend
