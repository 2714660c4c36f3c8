// What the mixtures of low-rank experts have in common.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "mor1e/backend/routing.hpp"
#include "mor1e/nn/step_context.hpp"
#include "mor1e/ops/capacity_mask.hpp"
#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/concat_columns.hpp"
#include "mor1e/ops/expert_slots.hpp"
#include "mor1e/ops/router_statistics.hpp"
#include "mor1e/ops/softmax.hpp"
#include "mor1e/ops/top_k_mask.hpp"
#include "mor1e/peft/router_losses.hpp"

namespace mor1e::peft {

using backend::slot_order;
using backend::token_group;

// Names in JSON. Which slots share products is the method's to say, and a group of one token no choice of routing.
constexpr std::array<std::string_view, 2> names_of(slot_order) { return {"block", "tiled"}; }
constexpr std::array<std::string_view, 3> names_of(token_group) { return {"", "instance", "batch"}; }

/// The logits of linear p in what `gates` is given: the products of all linears, then `rows` logits of each.
template <class B, class T>
var<T> logits_of(tape<B>& t, var<T> x, int linears, int rows, int p) {
  return ops::columns(t, x, x.cols - index_t(linears - p) * rows, rows);
}

/// 1 where a live token gives an expert a weight: a limit with room for every token.
template <class B, class T>
var<T> used_experts(tape<B>& t, var<T> weights, const nn::step_context<B, T>& step) {
  return ops::capacity_mask(t, {1, double(weights.cols), token_group::batch}, weights, step.instances);
}

/// Every linear's products V^T x times its experts' weights [T, experts], which `weights(logits)` makes of its router.
template <class B, class T, class Weights>
var<T> mixture_gates(tape<B>& t, const backend::expert_slots_shape& s, var<T> x, int linears, int router_rows,
                     const Weights& weights) {
  std::vector<var<T>> parts;
  for (int p = 0; p < linears; ++p) {
    const var<T> products = ops::columns(t, x, index_t(p) * s.products(), s.products());
    parts.push_back(ops::expert_slots(t, s, weights(logits_of(t, x, linears, router_rows, p)), products));
  }
  return parts.size() == 1 ? parts.front() : ops::concat_columns<B, T>(t, parts);
}

/// p = softmax(logits), and while training the losses of the router over the batch; a loss of balance counts a token to
/// its likeliest expert.
template <class B, class T>
var<T> dense_weights(tape<B>& t, const router_losses& losses, var<T> logits, nn::step_context<B, T>& step) {
  const var<T> p = ops::softmax(t, logits);
  if (step.training && losses.any())
    add_router_losses(t, losses, logits, p, ops::top_k_mask(t, p, step.instances, 1), token_group::batch, step);
  return p;
}

/// Entropy and mean weight of each expert under softmax(logits), for the log; `router_rows` may hold more than the
/// logits.
template <class B, class T>
var<T> mixture_statistics(tape<B>& t, var<T> x, int linears, int experts, int router_rows,
                          nn::step_context<B, T>& step) {
  std::vector<var<T>> logits;
  for (int p = 0; p < linears; ++p)
    logits.push_back(ops::columns(t, logits_of(t, x, linears, router_rows, p), 0, experts));
  const std::size_t own = logits.size();
  for (std::size_t p = 0; p < own; ++p) logits.push_back(logits[p]);  // the op skips as many products
  return ops::router_statistics(t, {.parts = linears, .experts = experts}, ops::concat_columns<B, T>(t, logits),
                                step.instances);
}

/// alpha / rank, or 1 where alpha is 0.
inline double mixture_scale(double alpha, int rank) { return alpha == 0 ? 1 : alpha / rank; }

}  // namespace mor1e::peft
