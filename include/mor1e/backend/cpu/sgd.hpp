// Stochastic gradient descent: one pass over everything that is trained.
#pragma once

#include <cstdint>
#include <span>

#include "mor1e/backend/cpu/tensor_ranges.hpp"
#include "mor1e/backend/sgd_step.hpp"

namespace mor1e::backend {

namespace detail {

/// Elements [begin, end) of one tensor; returns whether values and velocities are finite behind it.
template <class T>
bool sgd_range(const sgd_tensor<view<T>>& x, const sgd_constants<T>& c, index_t begin, index_t end) {
  T *value = x.value.data, *gradient = x.gradient.data, *velocity = x.velocity.data;
  T zeros = 0;  // a sum of 0 x: 0, or NaN if any x is not finite
  if (!velocity) {
#pragma omp simd reduction(+ : zeros)
    for (index_t i = begin; i < end; ++i) {
      value[i] -= c.rate * (gradient[i] + c.pull * value[i]);
      zeros += T(0) * value[i];
    }
    return zeros == 0;
  }
#pragma omp simd reduction(+ : zeros)
  for (index_t i = begin; i < end; ++i) {
    const T g = gradient[i] + c.pull * value[i], v = c.momentum * velocity[i] + g;
    velocity[i] = v;
    value[i] -= c.rate * (c.of_gradient * g + c.of_velocity * v);
    zeros += T(0) * value[i] + T(0) * v;
  }
  return zeros == 0;
}

}  // namespace detail

/// One update of every tensor; finite_i: whether tensor i and its velocity are finite behind it, 1 or 0.
/// Source: Sutskever et al., ICML 2013, with the learning rate outside the velocity.
template <class T>
void sgd_update(cpu& device, std::span<const sgd_tensor<view<T>>> tensors, const sgd_step& s,
                view<std::int32_t> finite) {
  detail::update_tensors(device, tensors, finite, [&](const sgd_tensor<view<T>>& x, index_t begin, index_t end) {
    return detail::sgd_range(x, sgd_constants<T>(s, x.learning_rate_scale, x.decay), begin, end);
  });
}

}  // namespace mor1e::backend
