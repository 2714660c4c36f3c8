// Weights of a model: frozen, or trainable parameters.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/autodiff/module.hpp"
#include "mor1e/autodiff/tape.hpp"

namespace mor1e::nn {

/// A matrix [outputs, inputs]: frozen, or a parameter.
template <class B, class T>
class weight {
 public:
  using frozen = typename B::template frozen<T>;

  weight() = default;
  explicit weight(frozen values) : frozen_(std::move(values)) {}
  explicit weight(std::unique_ptr<param<B, T>> p) : trainable_(std::move(p)) {}
  /// A parameter of the given values.
  weight(B& device, std::string name, const tensor<T>& values)
      : weight(std::make_unique<param<B, T>>(device, std::move(name), values)) {}

  bool trainable() const { return trainable_ != nullptr; }
  index_t rows() const { return trainable_ ? trainable_->extents()[0] : frozen_.rows(); }
  index_t cols() const { return trainable_ ? trainable_->extents()[1] : frozen_.cols(); }
  param<B, T>* parameter() const { return trainable_.get(); }
  std::vector<param<B, T>*> parameters() const {
    return trainable_ ? std::vector{trainable_.get()} : std::vector<param<B, T>*>{};
  }
  const frozen& values() const { return frozen_; }

 private:
  std::unique_ptr<param<B, T>> trainable_;
  frozen frozen_;
};

/// A vector [1, n], the weight of a norm or a bias: constant, or a parameter.
template <class B, class T>
class vector_weight {
 public:
  vector_weight() = default;
  vector_weight(std::unique_ptr<param<B, T>> p, bool trainable) : values_(std::move(p)), trainable_(trainable) {}
  /// A parameter of the given values.
  vector_weight(B& device, std::string name, const tensor<T>& values)
      : vector_weight(std::make_unique<param<B, T>>(device, std::move(name), values), true) {}

  explicit operator bool() const { return values_ != nullptr; }
  param<B, T>* parameter() const { return trainable_ ? values_.get() : nullptr; }
  std::vector<param<B, T>*> parameters() const {
    return parameter() ? std::vector{parameter()} : std::vector<param<B, T>*>{};
  }
  var<T> on(tape<B>& t) const {
    if (trainable_) return t.use(*values_);
    return t.constant(values_->value);
  }

 private:
  std::unique_ptr<param<B, T>> values_;
  bool trainable_ = false;
};

}  // namespace mor1e::nn
