// Gradients of many tensors: cleared, measured and clipped.
#pragma once

#include <cmath>
#include <span>

#include "mor1e/backend/clip_factor.hpp"
#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// All elements of all tensors = 0
template <class T>
void clear_tensors(reference&, std::span<const view<T>> tensors) {
  for (const view<T>& x : tensors)
    for (index_t k = 0; k < x.size(); ++k) x[k] = T(0);
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

/// norm = sqrt(sum of squares); all tensors *= clip_factor(norm, max_norm)
template <class T>
void clip_tensors(reference&, double max_norm, view<const double> squares, std::span<const view<T>> tensors,
                  view<double> norm) {
  double sum = 0;
  for (index_t i = 0; i < squares.size(); ++i) sum += squares[i];
  norm[0] = std::sqrt(sum);
  const double factor = clip_factor(norm[0], max_norm);
  if (factor == 1) return;
  for (const view<T>& x : tensors)
    for (index_t k = 0; k < x.size(); ++k) x[k] *= T(factor);
}

}  // namespace mor1e::backend
