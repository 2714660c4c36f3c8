// The optimiser's update of all tensors.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "mor1e/backend/adam_step.hpp"
#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// One update of every tensor; finite_i: whether tensor i and its second moment are finite behind it, 1 or 0. Where
/// `norm` [1, 1] is not finite nothing is updated, and finite is 1; it may be empty.
/// Source: Kingma and Ba, ICLR 2015, algorithm 1; Loshchilov and Hutter, ICLR 2019, algorithm 2.
template <class T>
void adam_update(reference&, std::span<const adam_tensor<view<T>>> tensors, const adam_step& s, view<const double> norm,
                 view<std::int32_t> finite) {
  const adam_constants<T> c(s);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& x = tensors[i];
    const adam_rates<T> r(c, x.learning_rate_scale, x.decay);
    finite[index_t(i)] = 1;
    if (!norm.empty() && !std::isfinite(norm[0])) continue;
    for (index_t k = 0; k < x.value.size(); ++k) {
      const T g = x.gradient[k] + r.pull * x.value[k];
      x.first[k] = c.beta1 * x.first[k] + c.keep1 * g;
      x.second[k] = c.beta2 * x.second[k] + c.keep2 * g * g;
      x.value[k] = x.value[k] * r.shrink - r.step * x.first[k] / (std::sqrt(x.second[k]) * c.correct2 + c.epsilon);
      if (!std::isfinite(x.value[k]) || !std::isfinite(x.second[k])) finite[index_t(i)] = 0;
    }
  }
}

}  // namespace mor1e::backend
