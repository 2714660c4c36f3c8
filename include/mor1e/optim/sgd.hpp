// Stochastic gradient descent, with momentum and weight decay.
#pragma once

#include <span>
#include <vector>

#include "mor1e/autodiff/module.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/optim/finite_flags.hpp"

namespace mor1e::optim {

struct sgd_options {
  double learning_rate = 0.1;
  double momentum = 0;
  double weight_decay = 0;  ///< added to the gradient (L2)
  bool nesterov = false;    ///< the gradient is added once more, ahead of the velocity; needs a momentum
};

/// Gradient descent over a list of parameters. One update of a tensor:
///   g = gradient + weight_decay p,  v = momentum v + g,  p = p - lr v, or with nesterov p = p - lr (g + momentum v).
/// Its state is one velocity a tensor, in the memory of the device; without momentum there is none.
///   optim::sgd optimizer(model, {.learning_rate = 0.1, .momentum = 0.9});
/// Source: Sutskever et al., ICML 2013, with the learning rate outside the velocity.
template <class B, class T>
requires HasSgd<B, T>
class sgd {
 public:
  /// Velocities start at 0. The parameters must outlive this. Throws `value_error` for an option outside its domain,
  /// and for an empty list.
  explicit sgd(const std::vector<param<B, T>*>& parameters, sgd_options options = {})
      : device_(&device_of(parameters)), options_(options), finite_(*device_, parameters.size()) {
    require<value_error>(options.learning_rate >= 0, "sgd: learning rate ", options.learning_rate, " is negative");
    require<value_error>(options.momentum >= 0 && options.momentum < 1, "sgd: momentum ", options.momentum,
                         " is outside [0, 1)");
    require<value_error>(options.weight_decay >= 0, "sgd: weight decay ", options.weight_decay, " is negative");
    require<value_error>(!options.nesterov || options.momentum > 0, "sgd: nesterov needs a momentum");
    for (auto* p : parameters) {
      view_of<B, T> velocity;
      if (options.momentum > 0) velocity = velocities_.emplace_back(*device_, p->extents(), T(0)).matrix();
      tensors_.push_back({p->value.matrix(), p->gradient.matrix(), velocity, p->learning_rate_scale, p->decay});
    }
  }
  /// The parameters of a module.
  template <Module M>
  explicit sgd(M&& module, sgd_options options = {}) : sgd(module.parameters(), options) {}

  /// One update of every tensor from its gradient, the learning rate times `factor` (what a schedule gives). A factor
  /// of 0 still feeds the velocities. Returns the number of the first tensor that is not finite any more, or has a
  /// velocity that is not; -1 if all are.
  index_t step(double factor = 1) {
    const backend::sgd_step update{.learning_rate = options_.learning_rate * factor,
                                   .momentum = options_.momentum,
                                   .weight_decay = options_.weight_decay,
                                   .nesterov = options_.nesterov};
    sgd_update(*device_, std::span<const backend::sgd_tensor<view_of<B, T>>>(tensors_), update, finite_.matrix());
    return finite_.first_broken();
  }

  const sgd_options& options() const { return options_; }
  /// A copy, one a parameter, in the order given; none without momentum.
  std::vector<tensor<T>> velocities() const {
    std::vector<tensor<T>> out;
    for (const auto& v : velocities_) out.push_back(v.read());
    return out;
  }
  /// Continues from saved velocities. Throws `value_error` if they do not fit the parameters.
  void restore(const std::vector<tensor<T>>& velocities) {
    require<value_error>(velocities.size() == velocities_.size(), "sgd: velocities of ", velocities.size(),
                         " tensors for ", velocities_.size());
    for (std::size_t i = 0; i < velocities.size(); ++i)
      require<value_error>(velocities[i].size() == velocities_[i].size(), "sgd: tensor ", i, " has ",
                           velocities_[i].size(), " elements, its velocity ", velocities[i].size());
    for (std::size_t i = 0; i < velocities.size(); ++i) velocities_[i].write(velocities[i]);
  }

 private:
  B* device_;
  sgd_options options_;
  std::vector<array<B, T>> velocities_;
  std::vector<backend::sgd_tensor<view_of<B, T>>> tensors_;
  finite_flags<B> finite_;  ///< what an update says
};

template <Module M>
sgd(M&&, sgd_options = {}) -> sgd<device_type<M>, element_type<M>>;

}  // namespace mor1e::optim
