// What an optimiser sees of a model: plain arrays.
#pragma once

#include "mor1e/core/shape.hpp"

namespace mor1e::optim {

/// One trained tensor and its gradient, `size` elements each. Nothing is owned.
template <class T>
struct parameter_span {
  T* value = nullptr;
  T* gradient = nullptr;
  index_t size = 0;
  double learning_rate_scale = 1;  // times the learning rate of the step: a gate may move slower than a matrix
  bool decay = true;               // whether weight decay applies
};

}  // namespace mor1e::optim
