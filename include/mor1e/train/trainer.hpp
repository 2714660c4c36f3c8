// Optimiser steps: micro-batches, accumulation, clipping, AdamW.
#pragma once

#include <cmath>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "mor1e/optim/adam.hpp"
#include "mor1e/optim/clip.hpp"
#include "mor1e/train/step_program.hpp"

namespace mor1e::train {

struct trainer_options {
  optim::adam_options adam = {};
  double clip = 1;  ///< largest gradient norm; 0: no clipping
  program_options program = {};
};

/// Statistics of one router over the micro-batches of a step: mean entropy and mean weight of each expert.
struct router_report {
  std::string linear;  ///< module path of the first linear of the group
  int part = 0;        ///< which linear of the group
  double entropy = 0;  ///< nats
  std::vector<double> load;
};

struct step_report {
  double loss = 0;           ///< mean negative log-likelihood of the step's targets, plus auxiliary losses
  double auxiliary = 0;      ///< the auxiliary losses alone
  double gradient_norm = 0;  ///< before clipping
  double rate_factor = 0;
  index_t targets = 0;
  index_t tokens = 0;  ///< of examples; the dead rows of the buckets are not counted
  std::vector<router_report> routers;
};

/// Trains parameters of a model. The loss and the gradient are divided by the number of targets of the whole step, so
/// how a step is cut into micro-batches does not change the result. (An auxiliary loss over the tokens of a whole batch
/// sees those of its micro-batch.)
template <class B, class T>
class trainer {
 public:
  trainer(B& device, models::language_model<B, T>& model, std::vector<param<B, T>*> parameters,
          const trainer_options& options)
      : parameters_(std::move(parameters)),
        options_(options),
        programs_(device, model, options.program),
        adam_(spans(), options.adam) {
    require<value_error>(!parameters_.empty(), "trainer: there is nothing to train");
    require<value_error>(options.clip >= 0, "trainer: clip ", options.clip, " is negative");
  }

  /// One optimiser step over `micro_batches` with the learning rate times `rate_factor`. `intuition`: one row for each
  /// instance number of the batches, or empty. A gradient that is not finite leaves the parameters as they are and
  /// throws.
  step_report step(std::span<const data::packed_batch> micro_batches, view<const T> intuition, double rate_factor) {
    step_report report;
    report.rate_factor = rate_factor;
    for (const auto& batch : micro_batches) report.targets += batch.live_targets, report.tokens += batch.live_rows;
    require<value_error>(report.targets > 0, "trainer: a step without a target token");
    for (auto* p : parameters_) p->clear_gradient();
    programs_.draw_for(adam_.steps());
    for (const auto& batch : micro_batches) {
      auto& program = programs_.prepare(batch, intuition, 1.0 / double(report.targets), 1.0 / double(report.tokens));
      report.loss += times_ ? program.run(*times_) : program.run();
      report.auxiliary += program.auxiliary_loss();
      add_statistics(program, double(batch.live_rows) / double(report.tokens), report);
    }
    const auto all = std::span<const optim::parameter_span<T>>(adam_.parameters());
    report.gradient_norm = options_.clip > 0 ? optim::clip_gradients(all, options_.clip) : optim::gradient_norm(all);
    require<error>(std::isfinite(report.gradient_norm), "trainer: step ", adam_.steps() + 1, ": the gradient norm is ",
                   report.gradient_norm, " (loss ", report.loss, "); the parameters are those of the step before");
    adam_.step(rate_factor);
    return report;
  }

  const std::vector<param<B, T>*>& parameters() const { return parameters_; }
  optim::adam<T>& optimizer() { return adam_; }
  program_cache<B, T>& programs() { return programs_; }
  /// Adds the time of each kind of node to `times` from here on (null: off).
  void profile(std::vector<node_time>* times) { times_ = times; }

 private:
  std::vector<optim::parameter_span<T>> spans() const {
    std::vector<optim::parameter_span<T>> out;
    for (auto* p : parameters_)
      out.push_back({p->value.data(), p->gradient.data(), p->size(), p->learning_rate_scale, p->decay});
    return out;
  }

  static void add_statistics(step_program<B, T>& program, double share, step_report& report) {
    std::size_t at = 0;
    for (const auto& [linear, values] : program.routers())
      for (index_t part = 0; part < values.rows; ++part, ++at) {
        if (at == report.routers.size())
          report.routers.push_back({linear, int(part), 0, std::vector<double>(std::size_t(values.cols - 1))});
        router_report& r = report.routers[at];
        r.entropy += share * double(values(part, 0));
        for (index_t j = 1; j < values.cols; ++j) r.load[std::size_t(j - 1)] += share * double(values(part, j));
      }
  }

  std::vector<param<B, T>*> parameters_;
  trainer_options options_;
  program_cache<B, T> programs_;
  optim::adam<T> adam_;
  std::vector<node_time>* times_ = nullptr;
};

}  // namespace mor1e::train
