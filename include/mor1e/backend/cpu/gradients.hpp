// Gradients of many tensors: cleared, measured and clipped.
#pragma once

#include <cmath>
#include <span>

#include "mor1e/backend/clip_factor.hpp"
#include "mor1e/backend/cpu/elementwise.hpp"
#include "mor1e/backend/cpu/rows.hpp"

namespace mor1e::backend {

/// All elements of all tensors = 0
template <class T>
void clear_tensors(cpu& device, std::span<const view<T>> tensors) {
  for (const view<T>& x : tensors) fill(device, T(0), x);
}

/// y_i = sum of the squares of tensor i, added in double
template <class T>
void square_sums(cpu& device, std::span<const view<T>> tensors, view<double> y) {
  // A whole tensor a thread: the sum must not depend on how many there are.
  parallel_for(device.threads(), index_t(tensors.size()), 1, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) {
      const T* x = tensors[std::size_t(i)].data;
      const index_t n = tensors[std::size_t(i)].size();
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (index_t k = 0; k < n; ++k) sum += double(x[k]) * double(x[k]);
      y[i] = sum;
    }
  });
}

/// norm = sqrt(sum of squares); all tensors *= clip_factor(norm, max_norm)
template <class T>
void clip_tensors(cpu& device, double max_norm, view<const double> squares, std::span<const view<T>> tensors,
                  view<double> norm) {
  double sum = 0;
  for (index_t i = 0; i < squares.size(); ++i) sum += squares[i];
  norm[0] = std::sqrt(sum);
  const double factor = clip_factor(norm[0], max_norm);
  if (factor == 1) return;
  for (const view<T>& x : tensors)  // 0 times an infinity is NaN: not `rescale`, for which 0 clears
    axpby(device, T(factor), view<const T>(x), T(0), x);
}

}  // namespace mor1e::backend
