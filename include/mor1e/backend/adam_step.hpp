// What an update by Adam is given.
#pragma once

#include <cmath>
#include <cstdint>

#include "mor1e/core/config.hpp"

namespace mor1e::backend {

/// One trained tensor with its gradient and its two moments, all of one shape; `View` is the device's (`view_of`).
template <class View>
struct adam_tensor {
  View value, gradient, first, second;
  double learning_rate_scale = 1;  ///< times the learning rate of the step: a gate may move slower than a matrix
  bool decay = true;               ///< whether weight decay applies
};

/// Update number t = 1, 2, ... of all tensors.
struct adam_step {
  std::int64_t t = 1;
  double learning_rate = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = true;  ///< decay beside the gradient (AdamW), not inside it
};

/// The constants of an update that all tensors share: powers and roots once, in double, as 1 - 0.999^1 would lose half
/// its digits as a float.
template <class T>
struct adam_constants {
  double learning_rate, weight_decay, correct1;
  bool decoupled;
  T beta1, keep1, beta2, keep2, correct2, epsilon;

  explicit adam_constants(const adam_step& s)
      : learning_rate(s.learning_rate),
        weight_decay(s.weight_decay),
        correct1(1 - std::pow(s.beta1, double(s.t))),
        decoupled(s.decoupled),
        beta1(T(s.beta1)),
        keep1(T(1 - s.beta1)),
        beta2(T(s.beta2)),
        keep2(T(1 - s.beta2)),
        correct2(T(1 / std::sqrt(1 - std::pow(s.beta2, double(s.t))))),
        epsilon(T(s.epsilon)) {}
};

/// And those of one tensor:
///   g = gradient + pull value,  m = beta1 m + keep1 g,  v = beta2 v + keep2 g^2,
///   value = shrink value - step m / (sqrt(v) correct2 + epsilon)
template <class T>
struct adam_rates {
  T shrink, pull, step;

  MOR1E_HD adam_rates(const adam_constants<T>& c, double learning_rate_scale, bool decays) {
    const double rate = c.learning_rate * learning_rate_scale, decay = decays ? c.weight_decay : 0;
    shrink = T(c.decoupled ? 1 - rate * decay : 1);
    pull = T(c.decoupled ? 0 : decay);
    step = T(rate / c.correct1);
  }
};

}  // namespace mor1e::backend
