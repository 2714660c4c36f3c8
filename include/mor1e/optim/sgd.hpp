// Stochastic gradient descent, with momentum and weight decay.
#pragma once

#include <vector>

#include "mor1e/autodiff/param.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::optim {

struct sgd_options {
  double learning_rate = 0.1;
  double momentum = 0;
  double weight_decay = 0;  ///< added to the gradient (L2)
};

/// g = gradient + weight_decay p,  v = momentum v + g,  p = p - lr v.
/// Source: Polyak 1964, in the form of Sutskever et al., ICML 2013, without its correction.
template <class B, class T>
requires HasAxpby<B, T>
class sgd {
 public:
  /// The parameters must outlive this. Throws `value_error` for an option outside its domain.
  sgd(B& device, const std::vector<param<B, T>*>& parameters, sgd_options options)
      : device_(&device), parameters_(parameters), options_(options) {
    require<value_error>(options.learning_rate >= 0, "sgd: learning rate ", options.learning_rate, " is negative");
    require<value_error>(options.momentum >= 0 && options.momentum < 1, "sgd: momentum ", options.momentum,
                         " is outside [0, 1)");
    require<value_error>(options.weight_decay >= 0, "sgd: weight decay ", options.weight_decay, " is negative");
    for (auto* p : parameters)
      if (options.momentum > 0 || options.weight_decay > 0) velocity_.emplace_back(device, p->extents(), T(0));
  }

  /// One update of every parameter from its gradient, the learning rate times `factor` (what a schedule gives).
  void step(double factor = 1) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      param<B, T>& p = *parameters_[i];
      const T rate = T(-options_.learning_rate * factor * p.learning_rate_scale);
      const view_of<B, T> value = p.value.matrix();
      view_of<B, const T> direction = p.gradient.matrix();
      if (!velocity_.empty()) {
        const view_of<B, T> v = velocity_[i].matrix();
        axpby(*device_, T(1), direction, T(options_.momentum), v);
        if (p.decay && options_.weight_decay > 0)
          axpby(*device_, T(options_.weight_decay), view_of<B, const T>(value), T(1), v);
        direction = v;
      }
      axpby(*device_, rate, direction, T(1), value);
    }
  }

 private:
  B* device_;
  std::vector<param<B, T>*> parameters_;
  sgd_options options_;
  std::vector<array<B, T>> velocity_;
};

}  // namespace mor1e::optim
