// A linear layer that is trained from scratch. Those of loaded models are parts of a projection group.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mor1e/autodiff/value.hpp"
#include "mor1e/nn/init.hpp"
#include "mor1e/nn/module.hpp"
#include "mor1e/ops/linear.hpp"

namespace mor1e::nn {

/// y = x W^T + b                                                    x [T, inputs], W [outputs, inputs] -> [T, outputs]
template <class B, class T = float>
class linear {
 public:
  /// W and b start uniform in +-1/sqrt(inputs), drawn from `key`: what most frameworks do.
  linear(B& device, const std::string& name, index_t inputs, index_t outputs, std::uint64_t key)
      : linear(device, name, init::uniform<T>({outputs, inputs}, 1 / std::sqrt(double(inputs)), stream_key(key, 0)),
               init::uniform<T>({1, outputs}, 1 / std::sqrt(double(inputs)), stream_key(key, 1))) {}
  /// The given W and b; no b without elements.
  linear(B& device, const std::string& name, const tensor<T>& weight, const tensor<T>& bias = {})
      : weight_(std::make_unique<param<B, T>>(device, name + ".weight", weight)) {
    if (!bias.empty()) bias_ = std::make_unique<param<B, T>>(device, name + ".bias", bias);
  }

  value<B, T> operator()(value<B, T> x) const {
    tape<B>& t = x.tape();
    return bias_ ? ops::linear(x, use(t, *weight_), use(t, *bias_)) : ops::linear(x, use(t, *weight_));
  }
  std::vector<param<B, T>*> parameters() const {
    std::vector<param<B, T>*> out{weight_.get()};
    if (bias_) out.push_back(bias_.get());
    return out;
  }

 private:
  std::unique_ptr<param<B, T>> weight_, bias_;
};

}  // namespace mor1e::nn
