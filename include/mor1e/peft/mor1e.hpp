// Intuition-aware mixture of rank-1 experts.
#pragma once

#include <span>
#include <type_traits>
#include <vector>

#include "mor1e/ops/add.hpp"
#include "mor1e/ops/block_linear.hpp"
#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/concat_columns.hpp"
#include "mor1e/ops/gather_rows.hpp"
#include "mor1e/ops/linear.hpp"
#include "mor1e/ops/rank1_gates.hpp"
#include "mor1e/ops/rank1_weights.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/ops/softmax.hpp"
#include "mor1e/ops/top_k_mask.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/rank1_composed.hpp"
#include "mor1e/peft/router/softmax.hpp"
#include "mor1e/peft/router_losses.hpp"

namespace mor1e::peft {

/// z = W x + scale sum_i w_i u_i (v_i^T x),  w = router(x) (+) I.
///
/// Release preset (the default; what was run): w = c_token t softmax(R x) + c_intuition (1 - t) I, t = sigmoid(100 a),
/// the whole times sigmoid(100 b); a and b learned for each linear from 0. c_token is the number of experts (32 in the
/// released code, which runs 32), c_intuition is 4.
/// Paper preset: w = softmax(R x) + I.
/// Ablations of Table 5: `router = false` (intuition only), `intuition = false` (rank-1 only).
/// Options of ours: `clusters`, `before`, `low_rank_router`, `k`, `losses`.
template <class Router = softmax_router>
struct basic_mor1e {
  int experts = 32;
  double c_token = 0;  ///< 0: the number of experts
  double c_intuition = 4;
  bool learned_gates = true;
  bool router = true;
  bool intuition = true;
  double update_scale = 1;
  double gate_learning_rate_scale = 1;  ///< on a and b
  bool router_bias = false;  ///< softmax(R x + bias), the bias learned from 0: Algorithm 2 has one, the release none
  int clusters = 0;          ///< of I; not 0: weighs the experts through a learned map [experts, clusters], I' = M I
  bool before = false;       ///< I inside the softmax, w = c_token t softmax(R x + I)
  bool low_rank_router = false;  ///< the router reads V^T x in place of x: R is [experts, experts]
  int k = 0;                     ///< not 0: the experts with the k largest weights w alone, as they are
  router_losses losses = {};     ///< of softmax(R x); a token counts to its likeliest expert
  Router route = {};

  friend bool operator==(const basic_mor1e&, const basic_mor1e&) = default;
  static basic_mor1e paper(int experts = 32) {
    return {.experts = experts, .c_token = 1, .c_intuition = 1, .learned_gates = false};
  }

  int slots() const { return experts; }
  int router_rows() const { return router && !low_rank_router ? experts : 0; }
  double scale() const { return update_scale; }
  std::vector<extra_parameter> extra() const {
    std::vector<extra_parameter> out;
    if (learned_gates) out = {{"gate_a", gate_learning_rate_scale}, {"gate_b", gate_learning_rate_scale}};
    if (router && router_bias) out.push_back({"router.bias", 1, experts});
    if (maps()) out.push_back({"intuition_map.weight", 1, clusters, experts, true});
    if (router && low_rank_router) out.push_back({"router.weight", 1, experts, experts});
    return out;
  }
  std::vector<expert_term> terms() const {
    std::vector<expert_term> out;
    for (int e = 0; e < experts; ++e) out.push_back({e, e, e});
    return out;
  }
  /// Throws `value_error` for options that contradict each other.
  void admit(index_t) const {
    require<value_error>(router || intuition, "mor1e: router and intuition are both off");
    require<value_error>(!before || (router && intuition),
                         "mor1e: an intuition before the softmax needs router and intuition");
    require<value_error>(k >= 0 && k <= experts, "mor1e: the ", k, " largest weights of ", experts);
    require<value_error>(!(router && router_bias && low_rank_router), "mor1e: a router on the products has no bias");
    require<value_error>(router || !losses.any(), "mor1e: there is no router to have a loss");
  }
  /// Nothing on the products, the routers' own on their logits.
  template <class B, class T>
  var<T> bias(tape<B>& t, std::span<const var<T>> extra) const {
    if (!router || !router_bias) return {};
    const var<T> own = extra[learned_gates ? 2 : 0];
    const var<T> parts[] = {ops::scale(t, own, 0), own};  // as many products as logits
    return ops::concat_columns<B, T>(t, parts);
  }

  /// x with the logits of a router on the products, and with I in them if it comes before the softmax.
  template <class B, class T>
  var<T> complete(tape<B>& t, var<T> x, int linears, std::span<const var<T>> extra,
                  nn::step_context<B, T>& step) const {
    require<value_error>(!intuition || bool(step.intuition),
                         "mor1e: this step has no intuition; give one, or switch it off");
    const auto beside = [&](var<T> a, var<T> b) {
      const var<T> both[] = {a, b};
      return ops::concat_columns<B, T>(t, both);
    };
    if (router && low_rank_router) x = beside(x, ops::block_linear(t, x, extra.back()));
    if (!before) return x;
    const index_t n = index_t(linears) * experts;
    var<T> felt = ops::gather_rows(t, mapped(t, extra, step), step.instances);
    if (!maps() && linears > 1) felt = ops::concat_columns<B, T>(t, std::vector<var<T>>(std::size_t(linears), felt));
    return beside(ops::columns(t, x, 0, n), ops::add(t, ops::columns(t, x, n, n), felt));
  }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>> extra, nn::step_context<B, T>& step) const {
    const bool after = intuition && !before;
    const backend::rank1_gates_shape s{
        linears, experts, c_token == 0 ? experts : c_token, c_intuition, router, after, learned_gates, maps()};
    const var<T> felt = after ? mapped(t, extra, step) : var<T>{};
    for (int part = 0; step.training && losses.any() && part < linears; ++part) {
      const var<T> logits = ops::columns(t, x, s.logits(part), experts), p = ops::softmax(t, logits);
      add_router_losses(t, losses, logits, p, ops::top_k_mask(t, p, step.instances, 1), backend::token_group::batch,
                        step);
    }
    if constexpr (std::is_same_v<Router, softmax_router>)
      if (k == 0) {
        // An operand that is not read still has to be a value. One without a gradient: the op would be asked for it.
        const var<T> none = t.template nothing<T>();
        const var<T> read = after ? felt : none, a = learned_gates ? extra[0] : none,
                     b = learned_gates ? extra[1] : none;
        for (int part = 0; step.weights && part < linears; ++part)
          step.weights->push_back(ops::rank1_weights(t, s, part, x, read, step.instances, a, b));
        return ops::rank1_gates(t, s, x, read, step.instances, a, b);
      }
    return composed_rank1_gates(t, s, x, felt, learned_gates ? extra[0] : var<T>{}, learned_gates ? extra[1] : var<T>{},
                                route, step, k);
  }

  // Not private: that would make it no aggregate.
  bool maps() const { return intuition && clusters > 0; }
  /// I, or what each linear makes of it: [instances, experts] or [instances, linears * experts].
  template <class B, class T>
  var<T> mapped(tape<B>& t, std::span<const var<T>> extra, nn::step_context<B, T>& step) const {
    if (!maps()) return step.intuition;
    return ops::linear(t, step.intuition,
                       extra[std::size_t((learned_gates ? 2 : 0) + (router && router_bias ? 1 : 0))]);
  }
};

using mor1e = basic_mor1e<>;

}  // namespace mor1e::peft
