// Trainable parameters.
#pragma once

#include <string>
#include <utility>

#include "mor1e/backend/array.hpp"

namespace mor1e {

/// A named trainable matrix with its gradient, both in the memory of the device. The gradient accumulates until
/// `clear_gradient`. Its address is part of every plan that uses it: hold it where it does not move.
template <class B, class T>
struct param {
  std::string name;
  array<B, T> value;
  array<B, T> gradient;
  double learning_rate_scale = 1;  ///< factor on the schedule's rate (the release trains MoR1E's gates at their own)
  bool decay = true;               ///< subject to weight decay

  /// All zeros.
  param(B& device, std::string name, shape extents)
      : name(std::move(name)), value(device, extents, T(0)), gradient(device, extents, T(0)) {}
  /// The given values.
  param(B& device, std::string name, const tensor<T>& values)
      : name(std::move(name)), value(device, values), gradient(device, values.extents(), T(0)) {}
  param(const param&) = delete;
  param& operator=(const param&) = delete;

  /// Where it is.
  B& device() const { return value.device(); }
  const shape& extents() const { return value.extents(); }
  index_t size() const { return value.size(); }
  /// Copies to and from host memory.
  tensor<T> read() const { return value.read(); }
  tensor<T> read_gradient() const { return gradient.read(); }
  void write(view<const T> values) { value.write(values); }
  void write(const tensor<T>& values) { value.write(values); }
  void clear_gradient() { gradient.fill(T(0)); }
};

}  // namespace mor1e
