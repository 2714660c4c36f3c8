// Stochastic gradient descent over all tensors: one launch, whatever their number.
#pragma once

#include <cstdint>
#include <span>

#include "mor1e/backend/cuda/elementwise.hpp"
#include "mor1e/backend/cuda/tensor_chunks.hpp"
#include "mor1e/backend/sgd_step.hpp"

namespace mor1e::backend {

namespace kernels {

template <class T>
struct sgd_entry {
  T* value;
  const T* gradient;
  T* velocity;  ///< null without momentum
  index_t size, first_chunk;
  double learning_rate_scale;
  std::int32_t packs;  ///< 1 if all of them may be accessed by 16 bytes
  std::int32_t decays;
};

// Defined in kernels/sgd.cuh.
template <class T>
void sgd_update(launch_target, const sgd_entry<T>* tensors, int count, index_t chunks, const sgd_step& step,
                std::int32_t* finite);

}  // namespace kernels

/// One update of every tensor; finite_i: whether tensor i and its velocity are finite behind it, 1 or 0.
/// Source: Sutskever et al., ICML 2013, with the learning rate outside the velocity.
template <class T>
void sgd_update(cuda& device, std::span<const sgd_tensor<device_view<T>>> tensors, const sgd_step& s,
                device_view<std::int32_t> finite) {
  using entry = kernels::sgd_entry<T>;
  const detail::tensor_table<entry> table(device, tensors, [](const auto& x, index_t chunk) {
    return entry{.value = x.value.address(),
                 .gradient = x.gradient.address(),
                 .velocity = x.velocity.address(),
                 .size = x.value.size(),
                 .first_chunk = chunk,
                 .learning_rate_scale = x.learning_rate_scale,
                 .packs = detail::by_16_bytes(x.value, x.gradient, x.velocity),
                 .decays = x.decay};
  });
  fill(device, std::int32_t(1), finite);
  kernels::sgd_update<T>(device.target(), table.entries, table.count, table.chunks, s, finite.address());
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/sgd.cuh"
#endif
