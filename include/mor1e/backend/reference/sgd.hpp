// Stochastic gradient descent: one pass over everything that is trained.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "mor1e/backend/reference/device.hpp"
#include "mor1e/backend/sgd_step.hpp"

namespace mor1e::backend {

/// One update of every tensor; finite_i: whether tensor i and its velocity are finite behind it, 1 or 0.
/// Source: Sutskever et al., ICML 2013, with the learning rate outside the velocity.
template <class T>
void sgd_update(reference&, std::span<const sgd_tensor<view<T>>> tensors, const sgd_step& s,
                view<std::int32_t> finite) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& x = tensors[i];
    const sgd_constants<T> c(s, x.learning_rate_scale, x.decay);
    finite[index_t(i)] = 1;
    for (index_t k = 0; k < x.value.size(); ++k) {
      const T g = x.gradient[k] + c.pull * x.value[k];
      T v = g;
      if (!x.velocity.empty()) x.velocity[k] = v = c.momentum * x.velocity[k] + g;
      x.value[k] -= c.rate * (s.nesterov ? g + c.momentum * v : v);
      if (!std::isfinite(x.value[k]) || !std::isfinite(v)) finite[index_t(i)] = 0;
    }
  }
}

}  // namespace mor1e::backend
