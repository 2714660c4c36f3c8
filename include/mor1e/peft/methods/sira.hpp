// SiRA: a sparse mixture of LoRA experts.
#pragma once

#include "mor1e/core/rng.hpp"
#include "mor1e/ops/capacity_mask.hpp"
#include "mor1e/ops/multiply.hpp"
#include "mor1e/ops/normalise_sum.hpp"
#include "mor1e/ops/softmax.hpp"
#include "mor1e/ops/top_k_mask.hpp"
#include "mor1e/peft/dropped.hpp"
#include "mor1e/peft/initial_values.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/mixture.hpp"

namespace mor1e::peft {

/// What the weights of a token's experts are divided by.
enum class renormalise : std::uint8_t {
  none,
  topk,           ///< their sum over the k chosen experts
  after_capacity  ///< their sum over those that took the token; one that all have refused gets no update
};
constexpr std::array<std::string_view, 3> names_of(renormalise) { return {"none", "topk", "after_capacity"}; }

/// z = W x + (alpha / rank) sum_e w_e B_e A_e x, w the k largest of g = dropout(p), p = softmax(R x).  Zhu et al. 2023.
///
/// While training an expert takes C = ceil(capacity k S / E) of the S tokens of a group, in their order, whatever the
/// rank of the choice; the others lose it. Dead rows compete for nothing and get no update. At inference there is no
/// limit: an answer must not depend on what is scored beside it.
/// While training, too, gates are dropped for each token and expert. A dropped one is never chosen, takes no place and
/// counts nowhere in the losses' c_e, even where fewer than k are left. Those kept are divided by 1 - gate_dropout, so
/// that on average g is the p of inference; with `none` the update sees it, otherwise the weights are divided by their
/// sum and it does not matter. The losses' means are of p: the router that inference uses is what has to be balanced.
/// The paper has no code: experts, k, alpha, capacity, the rate of the dropout, the weight of the loss and how weights
/// are renormalised are our choices.
struct sira {
  static constexpr const char* label = "sira";

  int experts = 16;
  int rank = 4;
  int k = 4;
  double alpha = 16;       ///< 0: no factor alpha / rank
  double capacity = 1.25;  ///< 0: no limit
  renormalise renorm = renormalise::topk;
  token_group group = token_group::instance;  ///< whose tokens compete for places: an instance's, or the batch's
  slot_order order = slot_order::block;
  double gate_dropout = 0.1;  ///< rate at which gates are dropped in training
  start start_of_products = start::uniform;
  start start_of_router = start::normal;
  router_losses losses = {.gshard = 0.01};

  friend bool operator==(const sira&, const sira&) = default;
  static std::vector<preset_of<sira>> presets() { return {{"sira"}, {"sira-release", release()}}; }
  template <class F>
  void fields(F f) {
    mixture_fields(*this, f);
    f(k, {.key = "top_k",
          .option = "--top-k",
          .help = "experts that work for a token",
          .takes = accepts::count,
          .part_of = "experts"});
    f(capacity, {.key = "capacity_factor"});
    f(renorm, {.key = "renormalise"});
    f(group, {.key = "routing_group"});
    f(gate_dropout, {.key = "gate_dropout"});
    f(order, {.key = "slot_order"});
    f(start_of_products, {.key = "start_of_products"});
    f(start_of_router, {.key = "start_of_router"});
  }

  /// As the baseline of Intuition-MoR1E was run: the 6 largest of 8 as they are, and nothing else.
  static sira release() {
    return {.experts = 8,
            .rank = 4,
            .k = 6,
            .alpha = 0,
            .capacity = 0,
            .renorm = renormalise::none,
            .order = slot_order::tiled,
            .gate_dropout = 0,
            .start_of_router = start::zero,
            .losses = {}};
  }

  int update_rank() const { return experts * rank; }
  int router_rows() const { return experts; }
  double scale() const { return mixture_scale(alpha, rank); }
  void rescale(double factor) { alpha = rescaled_alpha(alpha, rank, factor); }
  std::string size() const { return mixture_size(experts, rank); }
  std::vector<own_parameter> own_parameters() const { return {}; }
  std::vector<expert_term> expert_terms() const { return mixture_terms({experts, rank, order}); }
  method_needs needs() const { return {.draws = gate_dropout > 0}; }
  start down_start() const { return start_of_products; }
  start router_start() const { return start_of_router; }

  /// Throws `value_error` for options that mean nothing.
  void check(index_t) const {
    require<value_error>(k >= 1 && k <= experts, "sira: ", k, " of ", experts, " experts");
    require<value_error>(capacity >= 0, "sira: a capacity factor of ", capacity);
    require<value_error>(group != token_group::token, "sira: tokens compete in an instance or in the batch");
    require<value_error>(gate_dropout >= 0 && gate_dropout < 1, "sira: gate_dropout ", gate_dropout,
                         " is no rate in [0, 1)");
  }
  /// The weights of the experts: logits [T, E] -> [T, E]. `site` is the key of what is dropped.
  template <class B, class T>
  var<T> weights(tape<B>& t, var<T> logits, adapter_context<B, T>& step, std::uint64_t site = 0) const {
    const var<T> p = ops::softmax(t, logits), g = dropped(t, p, gate_dropout, site, step, "sira");
    var<T> chosen = ops::top_k_mask(t, g, step.batch.instances, k);
    if (step.mode.training && gate_dropout > 0) chosen = used_experts(t, ops::multiply(t, g, chosen), step);
    add_router_losses(t, losses, logits, p, chosen, group, step);
    const bool limited = step.mode.training && capacity > 0;
    const var<T> taken = limited ? ops::capacity_mask(t, {k, capacity, group}, chosen, step.batch.instances) : chosen;
    if (renorm == renormalise::topk) {
      const var<T> w = ops::normalise_sum(t, ops::multiply(t, g, chosen));
      return limited ? ops::multiply(t, w, taken) : w;
    }
    const var<T> w = ops::multiply(t, g, taken);
    return renorm == renormalise::none ? w : ops::normalise_sum(t, w);
  }
  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>>, adapter_context<B, T>& step) const {
    check(x.cols);
    std::uint64_t linear = 0;  // each drops its own
    return mixture_gates(t, {experts, rank, order}, x, linears, experts, step,
                         [&](var<T> logits) { return weights(t, logits, step, stream_key(step.site, linear++)); });
  }
};

}  // namespace mor1e::peft
