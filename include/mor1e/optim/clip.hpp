// Gradient clipping by the norm over all tensors.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "mor1e/autodiff/module.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::optim {

/// The gradients of a list of parameters, to be measured and clipped each step without an allocation.
template <class B, class T>
requires HasAdam<B, T>
class gradient_clip {
 public:
  /// The parameters must outlive this. Throws `value_error` for an empty list.
  explicit gradient_clip(const std::vector<param<B, T>*>& parameters)
      : device_(&device_of(parameters)),
        squares_(*device_, shape{1, index_t(parameters.size())}),
        squares_read_(shape{1, index_t(parameters.size())}) {
    for (auto* p : parameters) gradients_.push_back(p->gradient.matrix());
  }

  /// The Euclidean norm of all gradients together, summed in double: floats neither overflow nor underflow.
  double norm() {
    square_sums(*device_, std::span<const view_of<B, T>>(gradients_), squares_.matrix());
    squares_.read_to(squares_read_.matrix());
    double sum = 0;
    for (const double of_one : squares_read_) sum += of_one;
    return std::sqrt(sum);
  }
  /// Scales all gradients by min(1, max_norm / (norm + 1e-6)) and returns the norm before. Not guarded, as in torch: a
  /// NaN norm makes every gradient NaN, an infinite one makes finite gradients 0 and infinite ones NaN; the caller sees
  /// it by the returned norm. Throws `value_error` for a `max_norm` that is not positive.
  double clip(double max_norm) {
    require<value_error>(max_norm > 0, "clip_gradients: norm ", max_norm, " is not positive");
    const double before = norm(), factor = max_norm / (before + 1e-6);
    if (factor >= 1) return before;                   // false for NaN
    for (const view_of<B, T>& gradient : gradients_)  // 0 times an infinity is NaN: not `rescale`, for which 0 clears
      axpby(*device_, T(factor), view_of<B, const T>(gradient), T(0), gradient);
    return before;
  }

 private:
  B* device_;
  std::vector<view_of<B, T>> gradients_;
  array<B, double> squares_;
  tensor<double> squares_read_;
};

/// `gradient_clip::norm` and `clip` for once, of a module or a list.
template <Trainable M>
double gradient_norm(M&& of) {
  return gradient_clip(parameters_of(of)).norm();
}
template <Trainable M>
double clip_gradients(M&& of, double max_norm) {
  return gradient_clip(parameters_of(of)).clip(max_norm);
}

}  // namespace mor1e::optim
