// The gradients of a list of parameters: cleared, measured and clipped by their norm over all tensors.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "mor1e/autodiff/module.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::optim {

/// The gradients of a list of parameters, for all steps of a training: each is done by a launch or two for all tensors.
template <class B, class T>
requires HasGradients<B, T>
class gradient_list {
 public:
  /// The parameters must outlive this. Throws `value_error` for an empty list.
  explicit gradient_list(const std::vector<param<B, T>*>& parameters)
      : device_(&device_of(parameters)),
        squares_(*device_, shape{1, index_t(parameters.size())}),
        norm_(*device_, shape{1, 1}) {
    for (auto* p : parameters) gradients_.push_back(p->gradient.matrix());
  }

  void clear() { clear_tensors(*device_, all()); }
  /// Scales all gradients by min(1, max_norm / (norm + 1e-6)), norm being the Euclidean norm of all together, summed in
  /// double: floats neither overflow nor underflow. 0: only measures. Not guarded, as in torch: a NaN norm makes every
  /// gradient NaN, an infinite one makes finite gradients 0 and infinite ones NaN. Does not wait: the norm is read by
  /// `norm()`, and is in the memory of the device before that.
  void clip(double max_norm) {
    require<value_error>(max_norm >= 0, "clip: norm ", max_norm, " is negative");
    square_sums(*device_, all(), squares_.matrix());
    clip_tensors(*device_, max_norm, std::as_const(squares_).matrix(), all(), norm_.matrix());
  }
  /// The norm before the last `clip`.
  double norm() const {
    double norm = 0;
    norm_.read_to(view<double>(&norm, 1, 1));
    return norm;
  }
  view_of<B, const double> norm_on_device() const { return norm_.matrix(); }

 private:
  std::span<const view_of<B, T>> all() const { return gradients_; }

  B* device_;
  std::vector<view_of<B, T>> gradients_;
  array<B, double> squares_, norm_;
};

/// The norm of all gradients of a module or a list together.
template <Trainable M>
double gradient_norm(M&& of) {
  gradient_list gradients(parameters_of(of));
  gradients.clip(0);
  return gradients.norm();
}
/// `gradient_list::clip` for once; returns the norm before. Throws `value_error` for a `max_norm` that is not positive.
template <Trainable M>
double clip_gradients(M&& of, double max_norm) {
  require<value_error>(max_norm > 0, "clip_gradients: norm ", max_norm, " is not positive");
  gradient_list gradients(parameters_of(of));
  gradients.clip(max_norm);
  return gradients.norm();
}

}  // namespace mor1e::optim
