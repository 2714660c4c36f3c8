// Adam, with weight decay inside the gradient (L2) or beside it (AdamW).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mor1e/autodiff/module.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/optim/finite_flags.hpp"

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

/// The moments of one tensor in host memory, of the shape of the tensor.
template <class T>
struct adam_moments {
  tensor<T> first;
  tensor<T> second;
};

/// Adam over a list of parameters. One update of a tensor, t = 1, 2, ...:
///   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
///   p = p - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
/// Its state is the number of steps taken and two moments a tensor, in the memory of the device.
///   optim::adam optimizer(model, {.learning_rate = 1e-3});
/// Source: Kingma and Ba, ICLR 2015, algorithm 1; Loshchilov and Hutter, ICLR 2019, algorithm 2.
template <class B, class T>
requires HasAdam<B, T>
class adam {
 public:
  /// Moments start at 0. The parameters must outlive this. Throws `value_error` for an option outside its domain, and
  /// for an empty list.
  explicit adam(const std::vector<param<B, T>*>& parameters, adam_options options = {})
      : device_(&device_of(parameters)), options_(options), finite_(*device_, parameters.size()) {
    require<value_error>(options.learning_rate >= 0, "adam: learning rate ", options.learning_rate, " is negative");
    require<value_error>(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1,
                         "adam: betas ", options.beta1, ", ", options.beta2, " are outside [0, 1)");
    require<value_error>(options.epsilon >= 0, "adam: epsilon ", options.epsilon, " is negative");
    require<value_error>(options.weight_decay >= 0, "adam: weight decay ", options.weight_decay, " is negative");
    for (auto* p : parameters) {
      first_.emplace_back(*device_, p->extents(), T(0));
      second_.emplace_back(*device_, p->extents(), T(0));
      tensors_.push_back({p->value.matrix(), p->gradient.matrix(), first_.back().matrix(), second_.back().matrix(),
                          p->learning_rate_scale, p->decay});
    }
  }
  /// The parameters of a module.
  template <Module M>
  explicit adam(M&& module, adam_options options = {}) : adam(module.parameters(), options) {}

  /// One update of every tensor from its gradient, the learning rate times `factor` (what a schedule gives).
  /// A factor of 0 still feeds the moments. Returns the number of the first tensor that is not finite any more, or has
  /// a moment that is not; -1 if all are.
  index_t step(double factor = 1) {
    begin_step(factor, {});
    return end_step();
  }
  /// `step` in two parts, between which the caller may look at `norm` [1, 1], a number of the device: where it is not
  /// finite, the first part leaves everything as it is, and then the second is left out; else it must be called.
  void begin_step(double factor, view_of<B, const double> norm) {
    const backend::adam_step update{.t = steps_ + 1,
                                    .learning_rate = options_.learning_rate * factor,
                                    .beta1 = options_.beta1,
                                    .beta2 = options_.beta2,
                                    .epsilon = options_.epsilon,
                                    .weight_decay = options_.weight_decay,
                                    .decoupled = options_.decay == decay_rule::decoupled};
    adam_update(*device_, std::span<const backend::adam_tensor<view_of<B, T>>>(tensors_), update, norm,
                finite_.matrix());
  }
  index_t end_step() {
    ++steps_;
    return finite_.first_broken();
  }

  const adam_options& options() const { return options_; }
  /// Steps taken so far.
  std::int64_t steps() const { return steps_; }
  /// A copy, one pair a parameter, in the order given.
  std::vector<adam_moments<T>> moments() const {
    std::vector<adam_moments<T>> out;
    for (std::size_t i = 0; i < first_.size(); ++i) out.push_back({first_[i].read(), second_[i].read()});
    return out;
  }

  /// Continues from a saved state. Throws `value_error` if it does not fit the parameters.
  void restore(std::int64_t steps, const std::vector<adam_moments<T>>& moments) {
    require<value_error>(steps >= 0, "adam: ", steps, " steps");
    require<value_error>(moments.size() == first_.size(), "adam: moments of ", moments.size(), " tensors for ",
                         first_.size());
    for (std::size_t i = 0; i < moments.size(); ++i)
      require<value_error>(moments[i].first.size() == first_[i].size() && moments[i].second.size() == first_[i].size(),
                           "adam: tensor ", i, " has ", first_[i].size(), " elements, its moments ",
                           moments[i].first.size(), " and ", moments[i].second.size());
    steps_ = steps;
    for (std::size_t i = 0; i < moments.size(); ++i) {
      first_[i].write(moments[i].first);
      second_[i].write(moments[i].second);
    }
  }

 private:
  B* device_;
  adam_options options_;
  std::int64_t steps_ = 0;
  std::vector<array<B, T>> first_, second_;
  std::vector<backend::adam_tensor<view_of<B, T>>> tensors_;
  finite_flags<B> finite_;  ///< what an update says
};

template <Module M>
adam(M&&, adam_options = {}) -> adam<device_type<M>, element_type<M>>;

}  // namespace mor1e::optim
