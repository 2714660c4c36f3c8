// What an update by stochastic gradient descent is given.
#pragma once

#include "mor1e/core/config.hpp"

namespace mor1e::backend {

/// One trained tensor with its gradient and its velocity, all of one shape; `View` is the device's (`view_of`). Without
/// momentum the velocity is empty.
template <class View>
struct sgd_tensor {
  View value, gradient, velocity;
  double learning_rate_scale = 1;  ///< times the learning rate of the step
  bool decay = true;               ///< whether weight decay applies
};

/// One update of all tensors:
///   g = gradient + weight_decay value,  v = momentum v + g,
///   value = value - learning_rate (nesterov ? g + momentum v : v).
struct sgd_step {
  double learning_rate = 0;
  double momentum = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

/// The constants of one tensor's update: value = value - rate (of_gradient g + of_velocity v), g = gradient + pull
/// value.
template <class T>
struct sgd_constants {
  T rate, pull, momentum, of_gradient, of_velocity;

  MOR1E_HD sgd_constants(const sgd_step& s, double learning_rate_scale, bool decays)
      : rate(T(s.learning_rate * learning_rate_scale)),
        pull(T(decays ? s.weight_decay : 0)),
        momentum(T(s.momentum)),
        of_gradient(T(s.nesterov ? 1 : 0)),
        of_velocity(T(s.nesterov ? s.momentum : 1)) {}
};

}  // namespace mor1e::backend
