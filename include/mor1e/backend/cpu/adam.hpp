// The optimiser's update of all tensors, divided among the threads.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "mor1e/backend/adam_step.hpp"
#include "mor1e/backend/cpu/rows.hpp"
#include "mor1e/backend/cpu/tensor_ranges.hpp"

namespace mor1e::backend {

namespace detail {

/// Elements [begin, end) of one tensor; returns whether values and second moments are finite behind it.
template <class T>
bool adam_range(const adam_tensor<view<T>>& x, const adam_constants<T>& c, const adam_rates<T>& r, index_t begin,
                index_t end) {
  T *value = x.value.data, *first = x.first.data, *second = x.second.data, *gradient = x.gradient.data;
  T zeros = 0;  // a sum of 0 x: 0, or NaN if any x is not finite
#pragma omp simd reduction(+ : zeros)
  for (index_t i = begin; i < end; ++i) {
    const T g = gradient[i] + r.pull * value[i];
    const T m = c.beta1 * first[i] + c.keep1 * g;
    const T v = c.beta2 * second[i] + c.keep2 * g * g;
    first[i] = m;
    second[i] = v;
    value[i] = value[i] * r.shrink - r.step * m / (std::sqrt(v) * c.correct2 + c.epsilon);
    zeros += T(0) * value[i] + T(0) * v;
  }
  return zeros == 0;
}

}  // namespace detail

/// One update of every tensor; finite_i: whether tensor i and its second moment are finite behind it, 1 or 0. Where
/// `norm` [1, 1] is not finite nothing is updated, and finite is 1; it may be empty.
/// Source: Kingma and Ba, ICLR 2015, algorithm 1; Loshchilov and Hutter, ICLR 2019, algorithm 2.
template <class T>
void adam_update(cpu& device, std::span<const adam_tensor<view<T>>> tensors, const adam_step& s,
                 view<const double> norm, view<std::int32_t> finite) {
  if (!norm.empty() && !std::isfinite(norm[0])) return fill(device, std::int32_t(1), finite);
  const adam_constants<T> c(s);
  detail::update_tensors(device, tensors, finite, [&](const adam_tensor<view<T>>& x, index_t begin, index_t end) {
    return detail::adam_range(x, c, adam_rates<T>(c, x.learning_rate_scale, x.decay), begin, end);
  });
}

}  // namespace mor1e::backend
