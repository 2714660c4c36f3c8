// Weights of a model: frozen, or trainable parameters.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "mor1e/autodiff/tape.hpp"

namespace mor1e::nn {

/// A matrix [outputs, inputs] of the base model.
template <class B, class T>
class weight {
 public:
  using frozen = typename B::template frozen<T>;

  weight() = default;
  explicit weight(frozen values) : frozen_(std::move(values)) {}
  explicit weight(std::unique_ptr<param<B, T>> p) : trainable_(std::move(p)) {}

  bool trainable() const { return trainable_ != nullptr; }
  index_t rows() const { return trainable_ ? trainable_->extents()[0] : frozen_.rows(); }
  index_t cols() const { return trainable_ ? trainable_->extents()[1] : frozen_.cols(); }
  param<B, T>* parameter() const { return trainable_.get(); }
  const frozen& values() const { return frozen_; }

 private:
  std::unique_ptr<param<B, T>> trainable_;
  frozen frozen_;
};

/// A vector [1, n] of the base model: the weight of a norm, a bias.
template <class B, class T>
class vector_weight {
 public:
  vector_weight() = default;
  vector_weight(std::unique_ptr<param<B, T>> p, bool trainable) : values_(std::move(p)), trainable_(trainable) {}

  explicit operator bool() const { return values_ != nullptr; }
  param<B, T>* parameter() const { return trainable_ ? values_.get() : nullptr; }
  var<T> on(tape<B>& t) const {
    if (trainable_) return t.use(*values_);
    return t.constant(values_->value);
  }

 private:
  std::unique_ptr<param<B, T>> values_;
  bool trainable_ = false;
};

}  // namespace mor1e::nn
