// Trainable parameters.
#pragma once

#include <string>
#include <utility>

#include "mor1e/core/shape.hpp"

namespace mor1e {

/// A named trainable matrix with its gradient. The gradient accumulates until `clear_gradient`.
/// Its address is part of every plan that uses it: hold it where it does not move.
template <class B, class T>
struct param {
  using array = typename B::template array<T>;

  std::string name;
  array value;
  array gradient;
  double learning_rate_scale = 1;  ///< factor on the schedule's rate (the release trains MoR1E's gates at their own)
  bool decay = true;               ///< subject to weight decay

  param(std::string name, shape extents) : name(std::move(name)), value(extents, T(0)), gradient(extents, T(0)) {}
  param(const param&) = delete;
  param& operator=(const param&) = delete;

  const shape& extents() const { return value.extents(); }
  index_t size() const { return value.size(); }
  void clear_gradient() { gradient.fill(T(0)); }
};

}  // namespace mor1e
