// What the routers of a trained adapter do with the prompts of tasks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/core/tensor.hpp"
#include "mor1e/data/packing.hpp"
#include "mor1e/models/batch.hpp"
#include "mor1e/models/language_model.hpp"
#include "mor1e/peft/attach.hpp"

namespace mor1e::eval {

/// The experts of one linear. The share of an expert in a token's weights w is |w_e| / sum |w|; every mean is over the
/// tokens of a task's prompts.
struct linear_routing {
  std::string linear;  ///< module path
  index_t experts = 0;
  tensor<double> weights;       ///< mean weight, constants and gates included    [tasks, experts]
  tensor<double> shares;        ///< mean share                                   [tasks, experts]
  tensor<double> first;         ///< part of the tokens whose largest |w| it is   [tasks, experts]
  std::vector<double> entropy;  ///< of a token's shares, mean; nats              [tasks]
  std::vector<double> norms;    ///< |update of the expert|, Frobenius; empty: the method does not say
  std::vector<std::pair<std::string, double>> gates;  ///< of the method, by name, between 0 and 1
};

struct router_report {
  std::vector<std::string> tasks;  ///< in the order in which they first occur
  std::vector<index_t> items, tokens;
  std::vector<linear_routing> linears;  ///< in the order of execution
  tensor<double> intuition;             ///< mean over the items of each task [tasks, clusters]; empty without

  /// A mean over tasks of values [tasks] or [tasks, experts], each task weighing as much as it has tokens.
  MOR1E_INLINE std::vector<double> over_tasks(std::span<const double> values) const;
  /// exp of the entropy of the mean shares over all tokens: how many equal experts are as evenly used.
  MOR1E_INLINE double effective_experts(const linear_routing& of) const;
  /// How differently the tasks use the experts: mean over the tasks of sum_e |share - its mean over the tasks| / 2; 0
  /// to 1.
  MOR1E_INLINE double difference(const linear_routing& of) const;
};

/// Cosines of the rows of x [n, m] with each other, [n, n]. Centred: of what is left without the mean row, which tells
/// apart what a large common part hides.
MOR1E_INLINE tensor<double> cosine_similarity(view<const double> x, bool centred = false);
/// The mean weights of all linears side by side, [tasks, sum of experts].
MOR1E_INLINE tensor<double> all_weights(const router_report& of);
/// "7" of "model.layers.7.self_attn.q_proj", or the whole path; and "q_proj".
MOR1E_INLINE std::string block_of(const std::string& linear);
MOR1E_INLINE std::string projection_of(const std::string& linear);

/// All of it, and the similarities of tasks by their weights (of each linear, of all together) and by their intuition.
MOR1E_INLINE nlohmann::json to_json(const router_report& of);
/// A table for people: one line a block, means over its linears.
MOR1E_INLINE std::string table(const router_report& of);

namespace detail {

/// The tasks, what they have, and the number of each prompt's.
MOR1E_INLINE router_report tasks_of(std::span<const std::vector<std::int32_t>> prompts,
                                    std::span<const std::string> task_of, std::vector<int>& tasks);
struct linear_gate {
  std::string linear, name;
  double value;
};
/// Sums into means, and what the parameters say by themselves.
MOR1E_INLINE void finish(router_report& report, const std::vector<peft::update_norms>& norms,
                         const std::vector<linear_gate>& gates);

}  // namespace detail

/// Adds up the weights that forward passes show.
template <class B, class T>
class router_collector final : public nn::router_observer<B, T> {
 public:
  explicit router_collector(router_report& to) : to_(&to) {}

  /// The task of each row of the next pass; -1: not counted.
  std::vector<int> task_of_row;

  void observe(tape<B>& t, std::span<const std::string> names, std::span<const var<T>> weights,
               const nn::step_context<B, T>&) override {
    for (std::size_t p = 0; p < names.size(); ++p) add(names[p], t.read(weights[p]));
  }

 private:
  void add(const std::string& name, const tensor<T>& weights) {
    const index_t tasks = index_t(to_->tasks.size()), experts = weights.extents().cols();
    auto at = std::find_if(to_->linears.begin(), to_->linears.end(), [&](const auto& l) { return l.linear == name; });
    if (at == to_->linears.end()) {
      linear_routing fresh;
      fresh.linear = name, fresh.experts = experts, fresh.entropy.assign(std::size_t(tasks), 0.0);
      for (auto* sums : {&fresh.weights, &fresh.shares, &fresh.first})
        *sums = tensor<double>(shape{tasks, experts}, 0.0);
      at = to_->linears.insert(at, std::move(fresh));
    }
    for (std::size_t row = 0; row < task_of_row.size(); ++row) {
      if (task_of_row[row] < 0) continue;
      const index_t task = task_of_row[row], begin = task * experts;
      const T* w = weights.data() + index_t(row) * experts;
      double sum = 0, entropy = 0;
      index_t largest = 0;
      for (index_t e = 0; e < experts; ++e) {
        sum += std::abs(double(w[e]));
        if (std::abs(w[e]) > std::abs(w[largest])) largest = e;
        at->weights[begin + e] += double(w[e]);
      }
      if (!(sum > 0)) continue;  // no expert took the token
      at->first[begin + largest] += 1;
      for (index_t e = 0; e < experts; ++e) {
        const double share = std::abs(double(w[e])) / sum;
        at->shares[begin + e] += share;
        if (share > 0) entropy -= share * std::log(share);
      }
      at->entropy[std::size_t(task)] += entropy;
    }
  }

  router_report* to_;
};

/// Forward passes over packed prompts, of which prompt i has tokens `prompts[i]`, task `task_of[i]` and row i of
/// `intuition` (empty for methods that read none). `packing`: the context is the model's, the budget at least that of
/// the longest prompt. Throws `value_error` for no prompts, one beyond the context, and an adapter without experts.
template <class B, class T>
router_report report_routers(B& device, models::language_model<B, T>& model, peft::adapter_set<B, T>& adapters,
                             std::span<const std::vector<std::int32_t>> prompts, std::span<const std::string> task_of,
                             view<const T> intuition, data::packing_options packing = {}) {
  std::vector<int> tasks;
  router_report out = detail::tasks_of(prompts, task_of, tasks);
  std::vector<data::encoded_example> sequences;
  for (const auto& prompt : prompts) {
    const index_t number = index_t(sequences.size()), length = index_t(prompt.size());
    sequences.push_back({text("prompt ", number), prompt, length, number});
    packing.tokens = std::max(packing.tokens, length);
  }
  packing.context = model.context();
  router_collector<B, T> collector(out);
  for (const data::packed_batch& batch : data::pack(sequences, packing)) {
    collector.task_of_row.clear();
    for (const std::int32_t instance : batch.instances)
      collector.task_of_row.push_back(instance < 0 ? -1 : tasks[std::size_t(instance)]);
    tape<B> t(device, recording::forward);
    auto step = models::place_batch<B, T>(t, batch);
    if (intuition.data) step.batch.intuition = t.input(intuition);
    step.observers.routers = &collector;
    model.body(t, step);
  }
  if (intuition.data) {
    out.intuition = tensor<double>(shape{index_t(out.tasks.size()), intuition.cols}, 0.0);
    for (std::size_t i = 0; i < prompts.size(); ++i)
      for (index_t k = 0; k < intuition.cols; ++k)
        out.intuition[tasks[i] * intuition.cols + k] +=
            double(intuition(index_t(i), k)) / double(out.items[std::size_t(tasks[i])]);
  }
  std::vector<peft::update_norms> norms;
  adapters.each([&](const auto&, auto& adapter) {
    for (auto& of : adapter.expert_norms()) norms.push_back(std::move(of));
  });
  std::vector<detail::linear_gate> gates;
  for (const auto& of : adapters.gates()) {
    const std::vector<double> values = of.values();
    for (std::size_t l = 0; l < values.size(); ++l) gates.push_back({of.linears[l], of.name, values[l]});
  }
  detail::finish(out, norms, gates);
  return out;
}

}  // namespace mor1e::eval

#ifndef MOR1E_COMPILED
#include "mor1e/eval/router_report.ipp"
#endif
