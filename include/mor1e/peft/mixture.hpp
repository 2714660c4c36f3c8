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
#include "mor1e/ops/softmax.hpp"
#include "mor1e/ops/top_k_mask.hpp"
#include "mor1e/peft/method.hpp"
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
                     nn::step_context<B, T>& step, const Weights& weights) {
  std::vector<var<T>> parts;
  for (int p = 0; p < linears; ++p) {
    const var<T> products = ops::columns(t, x, index_t(p) * s.products(), s.products());
    const var<T> w = weights(logits_of(t, x, linears, router_rows, p));
    if (step.weights) step.weights->push_back(w);
    parts.push_back(ops::expert_slots(t, s, w, products));
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

/// Slot by slot, as `expert_slots` reads them.
inline std::vector<expert_term> mixture_terms(const backend::expert_slots_shape& s) {
  std::vector<expert_term> out;
  for (int slot = 0; slot < s.slots(); ++slot) out.push_back({s.expert(slot), slot, s.product(slot)});
  return out;
}

/// alpha / rank, or 1 where alpha is 0.
inline double mixture_scale(double alpha, int rank) { return alpha == 0 ? 1 : alpha / rank; }

}  // namespace mor1e::peft
