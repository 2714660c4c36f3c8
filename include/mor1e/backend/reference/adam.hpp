// The optimiser's sweeps over all tensors.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "mor1e/backend/adam_step.hpp"
#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// One update of every tensor; finite_i: whether tensor i and its second moment are finite behind it, 1 or 0.
/// Source: Kingma and Ba, ICLR 2015, algorithm 1; Loshchilov and Hutter, ICLR 2019, algorithm 2.
template <class T>
void adam_update(reference&, std::span<const adam_tensor<view<T>>> tensors, const adam_step& s,
                 view<std::int32_t> finite) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& x = tensors[i];
    const adam_constants<T> c(s, x.learning_rate_scale, x.decay);
    finite[index_t(i)] = 1;
    for (index_t k = 0; k < x.value.size(); ++k) {
      const T g = x.gradient[k] + c.pull * x.value[k];
      x.first[k] = c.beta1 * x.first[k] + c.keep1 * g;
      x.second[k] = c.beta2 * x.second[k] + c.keep2 * g * g;
      x.value[k] = x.value[k] * c.shrink - c.step * x.first[k] / (std::sqrt(x.second[k]) * c.correct2 + c.epsilon);
      if (!std::isfinite(x.value[k]) || !std::isfinite(x.second[k])) finite[index_t(i)] = 0;
    }
  }
}

/// y_i = sum of the squares of tensor i, added in double
template <class T>
void square_sums(reference&, std::span<const view<T>> tensors, view<double> y) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    double sum = 0;
    for (index_t k = 0; k < tensors[i].size(); ++k) sum += double(tensors[i][k]) * double(tensors[i][k]);
    y[index_t(i)] = sum;
  }
}

}  // namespace mor1e::backend
