// Gradient clipping by the norm over all tensors.
#pragma once

#include <cmath>
#include <span>

#include "mor1e/core/error.hpp"
#include "mor1e/optim/parameters.hpp"

namespace mor1e::optim {

/// The Euclidean norm of all gradients together, summed in double: floats neither overflow nor underflow.
template <class T>
double gradient_norm(std::span<const parameter_span<T>> parameters) {
  double squares = 0;
  for (const auto& parameter : parameters) {
    const T* gradient = parameter.gradient;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (index_t i = 0; i < parameter.size; ++i) sum += double(gradient[i]) * double(gradient[i]);
    squares += sum;
  }
  return std::sqrt(squares);
}

/// Scales all gradients by min(1, max_norm / (norm + 1e-6)) and returns the norm before. Not guarded, as in torch: a
/// NaN norm makes every gradient NaN, an infinite one makes finite gradients 0 and infinite ones NaN; the caller sees
/// it by the returned norm. Throws `value_error` for a `max_norm` that is not positive.
template <class T>
double clip_gradients(std::span<const parameter_span<T>> parameters, double max_norm) {
  require<value_error>(max_norm > 0, "clip_gradients: norm ", max_norm, " is not positive");
  const double norm = gradient_norm(parameters);
  const double factor = max_norm / (norm + 1e-6);
  if (factor >= 1) return norm;  // false for NaN
  for (const auto& parameter : parameters) {
    T* gradient = parameter.gradient;
#pragma omp simd
    for (index_t i = 0; i < parameter.size; ++i) gradient[i] = T(gradient[i] * T(factor));
  }
  return norm;
}

}  // namespace mor1e::optim
