// What the mixtures of low-rank experts have in common.
#pragma once

#include <string>
#include <vector>

#include "mor1e/backend/routing.hpp"
#include "mor1e/ops/capacity_mask.hpp"
#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/concat_columns.hpp"
#include "mor1e/ops/expert_slots.hpp"
#include "mor1e/ops/softmax.hpp"
#include "mor1e/ops/top_k_mask.hpp"
#include "mor1e/peft/adapter_context.hpp"
#include "mor1e/peft/description.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/router/width.hpp"
#include "mor1e/peft/router_losses.hpp"

namespace mor1e::peft {

using backend::slot_order;
using backend::token_group;

/// The logits of linear p in what `gates` is given: the products of all linears, then `rows` logits of each.
template <class B, class T>
var<T> logits_of(tape<B>& t, var<T> x, int linears, int rows, int p) {
  return ops::columns(t, x, x.cols - index_t(linears - p) * rows, rows);
}

/// 1 where a live token gives an expert a weight: a limit with room for every token.
template <class B, class T>
var<T> used_experts(tape<B>& t, var<T> weights, const adapter_context<B, T>& step) {
  return ops::capacity_mask(t, {1, double(weights.cols), token_group::batch}, weights, step.batch.instances);
}

/// Every linear's products V^T x times its experts' weights [T, experts], which `weights(logits)` makes of its router.
template <class B, class T, class Weights>
var<T> mixture_gates(tape<B>& t, const backend::expert_slots_shape& s, var<T> x, int linears, int router_rows,
                     adapter_context<B, T>& step, const Weights& weights) {
  std::vector<var<T>> parts;
  for (int p = 0; p < linears; ++p) {
    const var<T> products = ops::columns(t, x, index_t(p) * s.products(), s.products());
    const var<T> w = weights(logits_of(t, x, linears, router_rows, p));
    require_router_width(step, p, w.cols, s.experts);
    if (step.observed) step.weights.push_back(w);
    parts.push_back(ops::expert_slots(t, s, w, products));
  }
  return parts.size() == 1 ? parts.front() : ops::concat_columns<B, T>(t, parts);
}

/// p = softmax(logits), and while training the losses of the router over the batch; a loss of balance counts a token to
/// its likeliest expert.
template <class B, class T>
var<T> dense_weights(tape<B>& t, const router_losses& losses, var<T> logits, adapter_context<B, T>& step) {
  const var<T> p = ops::softmax(t, logits);
  if (step.mode.training && losses.any())
    add_router_losses(t, losses, logits, p, ops::top_k_mask(t, p, step.batch.instances, 1), token_group::batch, step);
  return p;
}

/// Slot by slot, as `expert_slots` reads them.
inline std::vector<expert_term> mixture_terms(const backend::expert_slots_shape& s) {
  std::vector<expert_term> out;
  for (int slot = 0; slot < s.slots(); ++slot) out.push_back({s.expert(slot), slot, s.product(slot)});
  return out;
}

/// alpha / rank, or 1 where alpha is 0.
inline double mixture_scale(double alpha, int rank) { return alpha == 0 ? 1 : alpha / rank; }
/// The alpha of `factor` times the scale.
inline double rescaled_alpha(double alpha, int rank, double factor) { return (alpha == 0 ? rank : alpha) * factor; }

/// "7 experts of rank 4"
inline std::string mixture_size(int experts, int rank) { return text(experts, " experts of rank ", rank); }

/// The fields of every mixture of low-rank experts. The rank comes first: matching prefers it to the experts.
template <class M, class F>
void mixture_fields(M& m, F f) {
  f(m.rank, {.key = "r", .option = "--rank", .help = "of each expert", .takes = accepts::size, .least = 1});
  f(m.experts, {.key = "experts",
                .option = "--experts",
                .help = "of the mixture",
                .takes = accepts::size,
                .least = 2});  // one expert is no mixture
  f(m.alpha, {.key = "lora_alpha",
              .option = "--alpha",
              .help = "the update is multiplied by alpha / rank",
              .takes = accepts::positive,
              .of_training = true});
  loss_fields(m.losses, stored::always, f);
}

}  // namespace mor1e::peft
