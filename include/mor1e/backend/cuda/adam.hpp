// The optimiser's sweeps over all tensors: one launch, whatever their number.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mor1e/backend/adam_step.hpp"
#include "mor1e/backend/cuda/elementwise.hpp"
#include "mor1e/backend/cuda/tensor_chunks.hpp"

namespace mor1e::backend {

namespace kernels {

/// A tensor of an update in the table that the kernel reads. The chunks of all tensors are numbered one after another.
template <class T>
struct adam_entry {
  T* value;
  const T* gradient;
  T *first, *second;
  index_t size, first_chunk;
  bool packs;  ///< all four may be accessed by 16 bytes
  adam_constants<T> constants;
};
template <class T>
struct square_entry {
  const T* at;
  index_t size, first_chunk;
  bool packs;
};

// Defined in kernels/adam.cuh.
template <class T>
void adam_update(launch_target, const adam_entry<T>* tensors, int count, index_t chunks, std::int32_t* finite);
template <class T>
void square_sums(launch_target, const square_entry<T>* tensors, int count, index_t chunks, double* of_chunk, double* y);

}  // namespace kernels

/// One update of every tensor; finite_i: whether tensor i and its second moment are finite behind it, 1 or 0.
/// Source: Kingma and Ba, ICLR 2015, algorithm 1; Loshchilov and Hutter, ICLR 2019, algorithm 2.
template <class T>
void adam_update(cuda& device, std::span<const adam_tensor<device_view<T>>> tensors, const adam_step& s,
                 device_view<std::int32_t> finite) {
  std::vector<kernels::adam_entry<T>> entries;
  entries.reserve(tensors.size());
  index_t chunks = 0;
  for (const auto& x : tensors) {
    const bool packs = detail::by_16_bytes(x.value) && detail::by_16_bytes(x.gradient) &&
                       detail::by_16_bytes(x.first) && detail::by_16_bytes(x.second);
    entries.push_back({x.value.address(), x.gradient.address(), x.first.address(), x.second.address(), x.value.size(),
                       chunks, packs, adam_constants<T>(s, x.learning_rate_scale, x.decay)});
    chunks += kernels::chunks_of(x.value.size());
  }
  fill(device, std::int32_t(1), finite);
  const detail::device_table<kernels::adam_entry<T>> table(device, entries);
  kernels::adam_update<T>(device.target(), table.address(), int(entries.size()), chunks, finite.address());
}

/// y_i = sum of the squares of tensor i, added in double
template <class T>
void square_sums(cuda& device, std::span<const device_view<T>> tensors, device_view<double> y) {
  std::vector<kernels::square_entry<T>> entries;
  entries.reserve(tensors.size());
  index_t chunks = 0;
  for (const auto& x : tensors) {
    entries.push_back({x.address(), x.size(), chunks, detail::by_16_bytes(x)});
    chunks += kernels::chunks_of(x.size());
  }
  const detail::device_table<kernels::square_entry<T>> table(device, entries);
  const cuda_scratch<double> of_chunk(device, 1, chunks);
  kernels::square_sums<T>(device.target(), table.address(), int(entries.size()), chunks, of_chunk.view().address(),
                          y.address());
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/adam.cuh"
#endif
