// Adam, with weight decay inside the gradient (L2) or beside it (AdamW).
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "mor1e/core/error.hpp"
#include "mor1e/optim/parameters.hpp"

namespace mor1e::optim {

/// Where weight decay acts: `l2` adds weight_decay * p to the gradient, `decoupled` (AdamW) shrinks p by
/// learning_rate * weight_decay before the step and leaves the moments alone.
enum class decay_rule { l2, decoupled };

struct adam_options {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  decay_rule decay = decay_rule::decoupled;
};

/// The moments of one tensor, as long as the tensor.
template <class T>
struct adam_moments {
  std::vector<T> first;
  std::vector<T> second;
};

/// One update of one tensor, t = 1, 2, ...:
///   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
///   p = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
/// Elements are independent: a caller may split a tensor over threads. Returns whether p and v are finite behind it.
/// Source: Kingma and Ba, ICLR 2015, algorithm 1; Loshchilov and Hutter, ICLR 2019, algorithm 2.
template <class T>
bool adam_update(const parameter_span<T>& parameter, T* first, T* second, std::int64_t t, double learning_rate,
                 const adam_options& options) {
  // Powers and roots of the whole tensor once, in double: 1 - 0.999^1 would lose half its digits as a float.
  const double rate = learning_rate * parameter.learning_rate_scale;
  const double decay = parameter.decay ? options.weight_decay : 0;
  const bool decoupled = options.decay == decay_rule::decoupled;
  const T shrink = T(decoupled ? 1 - rate * decay : 1);
  const T pull = T(decoupled ? 0 : decay);
  const T beta1 = T(options.beta1), keep1 = T(1 - options.beta1);
  const T beta2 = T(options.beta2), keep2 = T(1 - options.beta2);
  const T step = T(rate / (1 - std::pow(options.beta1, double(t))));
  const T correct2 = T(1 / std::sqrt(1 - std::pow(options.beta2, double(t))));
  const T epsilon = T(options.epsilon);
  T* value = parameter.value;
  const T* gradient = parameter.gradient;
  T zeros = 0;  // a sum of 0 x: 0, or NaN if any x is not finite
#pragma omp simd reduction(+ : zeros)
  for (index_t i = 0; i < parameter.size; ++i) {
    const T g = gradient[i] + pull * value[i];
    const T m = beta1 * first[i] + keep1 * g;
    const T v = beta2 * second[i] + keep2 * g * g;
    first[i] = m;
    second[i] = v;
    value[i] = value[i] * shrink - step * m / (std::sqrt(v) * correct2 + epsilon);
    zeros += T(0) * value[i] + T(0) * v;
  }
  return zeros == 0;
}

/// Adam over a list of tensors. Its state is the number of steps taken and two moments a tensor, all open to be saved.
template <class T>
class adam {
 public:
  /// Moments start at 0. Throws `value_error` for an option outside its domain.
  adam(std::vector<parameter_span<T>> parameters, adam_options options)
      : parameters_(std::move(parameters)), options_(options) {
    require<value_error>(options.learning_rate >= 0, "adam: learning rate ", options.learning_rate, " is negative");
    require<value_error>(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1,
                         "adam: betas ", options.beta1, ", ", options.beta2, " are outside [0, 1)");
    require<value_error>(options.epsilon >= 0, "adam: epsilon ", options.epsilon, " is negative");
    require<value_error>(options.weight_decay >= 0, "adam: weight decay ", options.weight_decay, " is negative");
    for (const auto& parameter : parameters_)
      moments_.push_back({std::vector<T>(std::size_t(parameter.size)), std::vector<T>(std::size_t(parameter.size))});
  }

  /// One update of every tensor from its gradient, the learning rate times `factor` (what a schedule gives).
  /// A factor of 0 still feeds the moments. Returns the number of the first tensor that is not finite any more, or has
  /// a moment that is not; -1 if all are.
  index_t step(double factor = 1) {
    ++steps_;
    index_t broken = -1;
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      if (!adam_update(parameters_[i], moments_[i].first.data(), moments_[i].second.data(), steps_,
                       options_.learning_rate * factor, options_) &&
          broken < 0)
        broken = index_t(i);
    return broken;
  }

  const adam_options& options() const { return options_; }
  std::span<const parameter_span<T>> parameters() const { return parameters_; }
  /// Steps taken so far.
  std::int64_t steps() const { return steps_; }
  /// One pair a parameter, in the order given.
  std::span<const adam_moments<T>> moments() const { return moments_; }

  /// Continues from a saved state. Throws `value_error` if it does not fit the parameters.
  void restore(std::int64_t steps, std::vector<adam_moments<T>> moments) {
    require<value_error>(steps >= 0, "adam: ", steps, " steps");
    require<value_error>(moments.size() == parameters_.size(), "adam: moments of ", moments.size(), " tensors for ",
                         parameters_.size());
    for (std::size_t i = 0; i < moments.size(); ++i)
      require<value_error>(
          moments[i].first.size() == moments_[i].first.size() && moments[i].second.size() == moments_[i].second.size(),
          "adam: tensor ", i, " has ", parameters_[i].size, " elements, its moments ", moments[i].first.size(), " and ",
          moments[i].second.size());
    steps_ = steps;
    moments_ = std::move(moments);
  }

 private:
  std::vector<parameter_span<T>> parameters_;
  adam_options options_;
  std::int64_t steps_ = 0;
  std::vector<adam_moments<T>> moments_;
};

}  // namespace mor1e::optim
