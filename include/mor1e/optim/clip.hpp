// Gradient clipping by the norm over all tensors.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "mor1e/autodiff/param.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::optim {

/// The Euclidean norm of all gradients together, summed in double: floats neither overflow nor underflow.
template <class B, class T>
requires HasAdam<B, T>
double gradient_norm(B& device, const std::vector<param<B, T>*>& parameters) {
  std::vector<view_of<B, T>> gradients;
  for (auto* p : parameters) gradients.push_back(p->gradient.matrix());
  array<B, double> squares(device, shape{1, index_t(gradients.size())});
  square_sums(device, std::span<const view_of<B, T>>(gradients), squares.matrix());
  double sum = 0;
  for (const double of_one : squares.read()) sum += of_one;
  return std::sqrt(sum);
}

/// Scales all gradients by min(1, max_norm / (norm + 1e-6)) and returns the norm before. Not guarded, as in torch: a
/// NaN norm makes every gradient NaN, an infinite one makes finite gradients 0 and infinite ones NaN; the caller sees
/// it by the returned norm. Throws `value_error` for a `max_norm` that is not positive.
template <class B, class T>
double clip_gradients(B& device, const std::vector<param<B, T>*>& parameters, double max_norm) {
  require<value_error>(max_norm > 0, "clip_gradients: norm ", max_norm, " is not positive");
  const double norm = gradient_norm(device, parameters);
  const double factor = max_norm / (norm + 1e-6);
  if (factor >= 1) return norm;  // false for NaN
  for (auto* p : parameters) {  // 0 times an infinity is NaN: not `rescale`, for which 0 clears
    const view_of<B, T> gradient = p->gradient.matrix();
    axpby(device, T(factor), view_of<B, const T>(gradient), T(0), gradient);
  }
  return norm;
}

}  // namespace mor1e::optim
