// The optimiser's update of all tensors: one launch, whatever their number.
#pragma once

#include <cstdint>
#include <span>

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
  double learning_rate_scale;
  std::int32_t packs;  ///< 1 if all four may be accessed by 16 bytes
  std::int32_t decays;
};

// Defined in kernels/adam.cuh.
template <class T>
void adam_update(launch_target, const adam_entry<T>* tensors, int count, index_t chunks,
                 const adam_constants<T>& constants, const double* norm, std::int32_t* finite);

}  // namespace kernels

/// One update of every tensor; finite_i: whether tensor i and its second moment are finite behind it, 1 or 0. Where
/// `norm` [1, 1] is not finite nothing is updated, and finite is 1; it may be empty.
/// Source: Kingma and Ba, ICLR 2015, algorithm 1; Loshchilov and Hutter, ICLR 2019, algorithm 2.
template <class T>
void adam_update(cuda& device, std::span<const adam_tensor<device_view<T>>> tensors, const adam_step& s,
                 device_view<const double> norm, device_view<std::int32_t> finite) {
  using entry = kernels::adam_entry<T>;
  const detail::tensor_table<entry> table(device, tensors, [](const auto& x, index_t chunk) {
    return entry{x.value.address(),
                 x.gradient.address(),
                 x.first.address(),
                 x.second.address(),
                 x.value.size(),
                 chunk,
                 x.learning_rate_scale,
                 detail::by_16_bytes(x.value, x.gradient, x.first, x.second),
                 x.decay};
  });
  fill(device, std::int32_t(1), finite);
  kernels::adam_update<T>(device.target(), table.entries, table.count, table.chunks, adam_constants<T>(s),
                          norm.address(), finite.address());
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/adam.cuh"
#endif
