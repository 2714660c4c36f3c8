// One forward and backward over a packed batch of a given size, planned once and run for each batch.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/autodiff/plan.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/data/packing.hpp"
#include "mor1e/models/batch.hpp"
#include "mor1e/models/language_model.hpp"
#include "mor1e/nn/auxiliary_loss.hpp"
#include "mor1e/ops/router_statistics.hpp"

namespace mor1e::train {

using models::batch_size;
using models::size_of;

struct program_options {
  bool training = true;         ///< with backward
  bool recompute = false;       ///< run each block again before its backward
  bool recompute_cheap = true;  ///< run row kernels again rather than keep their outputs
  bool device_graph = false;    ///< let a device that can keep the whole pass: see `plan::keep_on_device`
  bool statistics = false;      ///< collect router statistics
  bool dropout = false;         ///< give the step random numbers; only in training
  std::uint64_t seed = 0;       ///< of these
  index_t clusters = 0;         ///< columns of the intuition; 0: the method uses none
  bool types = false;           ///< tell the step the types of its tasks; only in training
};

template <class B, class T>
class step_program {
 public:
  step_program(B& device, models::language_model<B, T>& model, batch_size size, const program_options& options)
      : size_(size), limits_(models::limits_of(model)) {
    tape<B> t(device, recording::plan);
    step_ = models::declare_batch<B, T>(t, size,
                                        {.token_scale = true,
                                         .draws = options.training && options.dropout,
                                         .types = options.training && options.types,
                                         .clusters = options.clusters});
    step_.mode.training = options.training;
    step_.mode.recompute = options.recompute;
    if (options.statistics) step_.observers.routers = &routers_;
    const ops::loss_and_nll<T> result = model.loss(t, step_);
    auxiliary_ = nn::auxiliary_loss(t, step_);
    loss_ = auxiliary_ ? ops::add(t, result.loss, auxiliary_) : result.loss;
    if (auxiliary_) t.keep(auxiliary_);
    if (options.statistics)
      for (const auto& term : step_.auxiliary_losses) t.keep(term.loss);
    token_losses_ = result.nll;
    t.keep(token_losses_);
    plan_.emplace(std::move(t), loss_, options.training, options.recompute_cheap);
    if constexpr (HasReplay<B>)
      if (options.device_graph) plan_->keep_on_device();
  }
  step_program(const step_program&) = delete;
  step_program& operator=(const step_program&) = delete;

  /// Bytes of the slab a run needs.
  std::size_t bytes() const { return plan_->bytes(); }
  plan<B>& steps() { return *plan_; }

  /// Copies a batch of this size in. `intuition` has one row for each example number of the batch's instances.
  /// `loss_scale` and `token_scale`: 1 / number of targets, 1 / number of tokens of the whole step. `draw`: the key of
  /// the step's random numbers.
  void fill(std::byte* memory, const data::packed_batch& batch, view<const T> intuition, double loss_scale,
            double token_scale, std::uint64_t draw = 0) {
    if (!plan_->bound_to(memory)) plan_->bind(memory);
    require<shape_error>(size_of(batch) == size_, "step: a batch of ", batch.rows(), " rows, ",
                         batch.answer_rows.size(), " answers and ", batch.examples,
                         " sequences does not fit a plan of ", size_.rows, ", ", size_.answers, " and ",
                         size_.sequences);
    inputs_.fill(*plan_, step_, batch, limits_, intuition, {.loss = loss_scale, .token = token_scale, .draw = draw});
  }

  /// The scaled loss of the batch that was filled in, auxiliary losses included; gradients are added to the parameters.
  double run() {
    plan_->run();
    return loss();
  }
  double run(std::vector<node_time>& times) {
    plan_->run(times);
    return loss();
  }
  /// The part of the adapters' auxiliary losses in the loss of the last run.
  double auxiliary_loss() { return auxiliary_ ? double(plan_->read_scalar(auxiliary_)) : 0; }
  /// f(first linear of the group, auxiliary loss) of the last run, with statistics.
  template <class F>
  void each_auxiliary_loss(F f) {
    for (const auto& term : step_.auxiliary_losses) f(term.group, double(plan_->read_scalar(term.loss)));
  }
  /// Negative log-likelihood of each answer row of the last run; 0 where the target is ignored.
  tensor<T> token_losses() const { return plan_->read(token_losses_); }
  /// f(linear, [1, 1 + experts]) for each linear with experts, if statistics are collected: what `router_statistics`
  /// says of its weights in the last run.
  template <class F>
  void each_router(F f) {
    for (const auto& [linear, values] : routers_.seen) f(linear, plan_->read(values));
  }

 private:
  /// Reduces the weights on the tape, where they are made: what is kept of them is small.
  struct reduction final : nn::router_observer<B, T> {
    std::vector<std::pair<std::string, var<T>>> seen;
    void observe(tape<B>& t, std::span<const std::string> names, std::span<const var<T>> weights,
                 const nn::step_context<B, T>& step) override {
      for (std::size_t p = 0; p < names.size(); ++p) {
        seen.emplace_back(names[p], ops::router_statistics(t, weights[p], step.batch.instances));
        t.keep(seen.back().second);
      }
    }
  };

  double loss() { return double(plan_->read_scalar(loss_)); }

  batch_size size_;
  models::batch_limits limits_;
  nn::step_context<B, T> step_;
  reduction routers_;
  var<T> loss_, auxiliary_, token_losses_;
  std::optional<plan<B>> plan_;
  models::sequence_inputs<T> inputs_;
};

/// The programs of the batch sizes met last. They share one slab, as one runs at a time.
template <class B, class T>
class program_cache {
 public:
  program_cache(B& device, models::language_model<B, T>& model, program_options options)
      : device_(&device), model_(&model), options_(options), memory_(device) {}

  /// The program for a batch, filled and ready to run. `token_scale` 0: the batch is the whole step.
  step_program<B, T>& prepare(const data::packed_batch& batch, view<const T> intuition, double loss_scale,
                              double token_scale = 0) {
    auto& program = of(size_of(batch));
    program.fill(memory_.data(), batch, intuition, loss_scale,
                 token_scale > 0 ? token_scale : 1.0 / double(std::max<index_t>(1, batch.live_rows)), draw_);
    return program;
  }
  /// It stays until `most` other sizes have been asked for.
  step_program<B, T>& of(batch_size size) {
    auto at = std::find_if(programs_.begin(), programs_.end(), [&](const auto& p) { return p.first == size; });
    if (at == programs_.end()) {
      if (programs_.size() == most) programs_.erase(programs_.begin());
      programs_.emplace_back(size, std::make_unique<step_program<B, T>>(*device_, *model_, size, options_));
    } else {
      std::rotate(at, at + 1, programs_.end());
    }
    step_program<B, T>& program = *programs_.back().second;
    memory_.reserve(program.bytes());
    return program;
  }
  /// From here on the random numbers of optimiser step `step`.
  void draw_for(std::int64_t step) { draw_ = stream_key(options_.seed, step); }
  const program_options& options() const { return options_; }
  std::size_t bytes() const { return memory_.size(); }

 private:
  static constexpr std::size_t most = 64;

  B* device_;
  models::language_model<B, T>* model_;
  program_options options_;
  slab<B> memory_;
  std::uint64_t draw_ = 0;
  std::vector<std::pair<batch_size, std::unique_ptr<step_program<B, T>>>> programs_;  ///< the last used at the end
};

}  // namespace mor1e::train
