// Optimiser steps: micro-batches, accumulation, clipping, AdamW.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mor1e/distributed/parameters.hpp"
#include "mor1e/optim/adam.hpp"
#include "mor1e/optim/gradients.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/train/step_program.hpp"

namespace mor1e::train {

struct trainer_options {
  optim::adam_options adam = {};
  double clip = 1;  ///< largest gradient norm; 0: no clipping
  program_options program = {};
  distributed::process_group* processes = &distributed::alone();  ///< who train together
};

/// The experts of one linear over the tokens of a step: what `ops::router_statistics` says of their weights.
struct linear_load {
  std::string linear;        ///< module path
  double entropy = 0;        ///< of a token's shares, mean; nats
  std::vector<double> load;  ///< mean share of each expert
};

/// The gates of a kind, one for each linear.
struct gate_report {
  std::string name;               ///< "a"
  std::vector<double> values;     ///< behind the step, between 0 and 1
  std::vector<double> gradients;  ///< of their logits, before clipping
};

struct step_report {
  double loss = 0;       ///< mean negative log-likelihood of the step's targets, plus auxiliary losses
  double auxiliary = 0;  ///< the auxiliary losses alone
  std::vector<std::pair<std::string, double>> auxiliary_of = {};  ///< and those of each group, by its first linear
  double gradient_norm = 0;                                       ///< before clipping
  double rate_factor = 0;
  index_t targets = 0;
  index_t tokens = 0;  ///< of examples; the dead rows of the buckets are not counted
  std::vector<linear_load> routers;
  std::vector<gate_report> gates;
};

/// Trains parameters of a model. The loss and the gradient are divided by the number of targets of the whole step, so
/// how a step is cut into micro-batches, and whose these are, does not change the result. (An auxiliary loss over the
/// tokens of a whole batch sees those of its micro-batch.) Processes that train together each give a step micro-batches
/// of their own and call the same functions in the same order; what a step reports is of all.
template <class B, class T>
class trainer {
 public:
  trainer(B& device, models::language_model<B, T>& model, std::vector<param<B, T>*> parameters,
          const trainer_options& options)
      : parameters_(std::move(parameters)),
        options_(options),
        programs_(device, model, options.program),
        shared_(*options.processes, parameters_),
        gradients_(parameters_),
        adam_(parameters_, options.adam) {
    require<value_error>(options.clip >= 0, "trainer: clip ", options.clip, " is negative");
  }

  /// Trains adapters, and gives each step what their method needs: its intuition, random numbers, types of tasks.
  trainer(B& device, models::language_model<B, T>& model, peft::adapter_set<B, T>& adapters,
          trainer_options options = {})
      : trainer(device, model, adapters.parameters(), options_for(adapters.needs(), std::move(options))) {
    gates_ = adapters.gates();
  }

  /// One optimiser step over `micro_batches` with the learning rate times `rate_factor`. `intuition`: one row for each
  /// instance number of the batches, or empty. Throws for a loss or gradient that is not finite, naming the op where
  /// that began and leaving the parameters as they are, and for a parameter that is not finite behind the update.
  step_report step(std::span<const data::packed_batch> micro_batches, view<const T> intuition, double rate_factor) {
    step_report report;
    report.rate_factor = rate_factor;
    require<value_error>(!micro_batches.empty(), "trainer: a step without a micro-batch");
    count(micro_batches, report);
    require<value_error>(report.targets > 0, "trainer: a step without a target token");
    gradients_.clear();
    programs_.draw_for(adam_.steps());
    for (const auto& batch : micro_batches) {
      auto& program = programs_.prepare(batch, intuition, 1.0 / double(report.targets), 1.0 / double(report.tokens));
      report.loss += times_ ? program.run(*times_) : program.run();
      report.auxiliary += program.auxiliary_loss();
      if (options_.program.statistics) add_auxiliary(program, report);
      add_statistics(program, double(batch.live_rows) / double(report.tokens), report);
    }
    shared_.add_up();
    add_up(report);
    if (options_.program.statistics) add_gate_gradients(report);
    gradients_.clip(options_.clip);
    // Asked for before the norm is read, so that the device need not wait for the host.
    if (std::isfinite(report.loss)) adam_.begin_step(rate_factor, gradients_.norm_on_device());
    report.gradient_norm = gradients_.norm();
    if (!std::isfinite(report.loss) || !std::isfinite(report.gradient_norm))
      throw error(text("trainer: step ", adam_.steps() + 1, ": the loss is ", report.loss, ", the gradient norm is ",
                       report.gradient_norm, "; first in ", first_not_finite(micro_batches, intuition, report)));
    if (const index_t broken = adam_.end_step(); broken >= 0)
      throw error(text("trainer: step ", adam_.steps(), ": parameter ", parameters_[std::size_t(broken)]->name,
                       " is not finite after the update, or its gradient squared; a lower rate may help"));
    if (options_.program.statistics) add_gate_values(report);
    return report;
  }

  const std::vector<param<B, T>*>& parameters() const { return parameters_; }
  optim::adam<B, T>& optimizer() { return adam_; }
  program_cache<B, T>& programs() { return programs_; }
  /// Adds the time of each kind of node to `times` from here on (null: off).
  void profile(std::vector<node_time>* times) { times_ = times; }

 private:
  static trainer_options options_for(const peft::method_needs& needs, trainer_options options) {
    options.program.clusters = std::max(options.program.clusters, needs.clusters);
    options.program.dropout |= needs.draws;
    options.program.types |= needs.types;
    return options;
  }

  /// Targets and tokens of all processes.
  void count(std::span<const data::packed_batch> micro_batches, step_report& report) const {
    double targets = 0, tokens = 0;
    for (const auto& batch : micro_batches) targets += double(batch.live_targets), tokens += double(batch.live_rows);
    double* const both[] = {&targets, &tokens};
    distributed::add_up(*options_.processes, both);
    report.targets = index_t(targets), report.tokens = index_t(tokens);
  }
  /// What the processes found in their micro-batches.
  void add_up(step_report& report) const {
    if (options_.processes->size() == 1) return;
    std::vector<double*> all{&report.loss, &report.auxiliary};
    for (auto& [group, loss] : report.auxiliary_of) all.push_back(&loss);
    for (linear_load& r : report.routers) {
      all.push_back(&r.entropy);
      for (double& load : r.load) all.push_back(&load);
    }
    distributed::add_up(*options_.processes, all);
  }

  /// The step again, op by op; of all processes, the first that finds something.
  std::string first_not_finite(std::span<const data::packed_batch> micro_batches, view<const T> intuition,
                               const step_report& report) {
    std::array<char, 128> found{};
    const std::string here = first_not_finite_here(micro_batches, intuition, report);
    here.copy(found.data(), found.size() - 1);
    const std::vector<char> all = distributed::gathered(*options_.processes, std::span<const char>(found));
    for (std::size_t at = 0; at < all.size(); at += found.size())
      if (all[at]) return all.data() + at;
    return "the sum over micro-batches";
  }
  std::string first_not_finite_here(std::span<const data::packed_batch> micro_batches, view<const T> intuition,
                                    const step_report& report) {
    gradients_.clear();
    for (const auto& batch : micro_batches) {
      auto& program = programs_.prepare(batch, intuition, 1.0 / double(report.targets), 1.0 / double(report.tokens));
      if (std::string op = program.steps().first_not_finite(); !op.empty()) return op;
    }
    return {};
  }

  static void add_auxiliary(step_program<B, T>& program, step_report& report) {
    std::size_t at = 0;
    program.each_auxiliary_loss([&](const std::string& group, double loss) {
      auto& all = report.auxiliary_of;
      if (at < all.size() && all[at].first != group) ++at;
      if (at == all.size()) all.emplace_back(group, 0);
      all[at].second += loss;
    });
  }
  static void add_statistics(step_program<B, T>& program, double share, step_report& report) {
    std::size_t at = 0;
    program.each_router([&](const std::string& linear, const tensor<T>& values) {
      if (at == report.routers.size())
        report.routers.push_back({linear, 0, std::vector<double>(std::size_t(values.size() - 1))});
      linear_load& r = report.routers[at++];
      r.entropy += share * double(values[0]);
      for (index_t j = 1; j < values.size(); ++j) r.load[std::size_t(j - 1)] += share * double(values[j]);
    });
  }

  static gate_report& gates_of(const std::string& kind, step_report& report) {
    for (gate_report& of : report.gates)
      if (of.name == kind) return of;
    return report.gates.emplace_back(gate_report{kind, {}, {}});
  }
  void add_gate_gradients(step_report& report) const {
    for (const auto& gate : gates_)
      for (const T g : gate.logits->read_gradient()) gates_of(gate.name, report).gradients.push_back(double(g));
  }
  void add_gate_values(step_report& report) const {
    for (const auto& gate : gates_)
      for (const double value : gate.values()) gates_of(gate.name, report).values.push_back(value);
  }

  std::vector<param<B, T>*> parameters_;
  std::vector<peft::gate_parameter<B, T>> gates_;  ///< of these
  trainer_options options_;
  program_cache<B, T> programs_;
  distributed::gradient_sum<B, T> shared_;
  optim::gradient_list<B, T> gradients_;
  optim::adam<B, T> adam_;
  std::vector<node_time>* times_ = nullptr;
};

}  // namespace mor1e::train
