// Intuition-aware mixture of rank-1 experts.
#pragma once

#include <span>
#include <string>
#include <type_traits>
#include <utility>
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
#include "mor1e/peft/description.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/rank1_composed.hpp"
#include "mor1e/peft/router/softmax.hpp"
#include "mor1e/peft/router_losses.hpp"

namespace mor1e::peft {

/// The number of clusters of an intuition.
inline field clusters_field(stored kept) {
  return {.key = "clusters",
          .option = "--clusters",
          .help =
              "of the intuition; the number of experts or pairs unless given. Another number weighs them through a "
              "learned map",
          .takes = accepts::count,
          .kept = kept};
}

/// The fields of every mixture of rank-1 experts; `size` is the key of their number.
template <class M, class F>
void rank1_fields(M& m, const char* size, F f) {
  f(m.c_token, {.key = "c_token"});
  f(m.c_intuition, {.key = "c_intuition"});
  f(m.learned_gates, {.key = "learned_gates"});
  f(m.router, {.key = "use_router", .option = "--no-router", .help = "the intuition alone"});
  f(m.intuition, {.key = "use_intuition", .option = "--no-intuition", .help = "the router alone"});
  f(m.update_scale, {.key = "scale"});
  f(m.gate_learning_rate_scale, {.key = "gate_learning_rate_scale",
                                 .option = m.learned_gates ? "--gate-rate" : nullptr,
                                 .help = "learning rate of the gates",
                                 .takes = accepts::not_negative,
                                 .default_rate = 5e-5,  // the release's, whatever the rate of the matrices
                                 .of_training = true});
  f(backend::gate_sharpness, {.key = "gate_sharpness", .kept = stored::constant});
  f(m.k, {.key = "top_k",
          .option = "--top-k",
          .help = "experts or pairs that work for a token; all unless given",
          .takes = accepts::count,
          .kept = stored::later,
          .part_of = size});
  loss_fields(m.losses, stored::later, f);
}

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
  static constexpr const char* label = "mor1e";

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
  static std::vector<preset_of<basic_mor1e>> presets() { return {{"mor1e"}, {"mor1e-paper", paper()}}; }
  template <class F>
  void fields(F f) {
    f(experts, {.key = "experts",
                .option = "--experts",
                .help = "of the mixture",
                .takes = accepts::size,
                .least = 2});  // one expert is no mixture
    rank1_fields(*this, "experts", f);
    f(router_bias, {.key = "router_bias"});
    f(clusters, clusters_field(stored::later));
    f(before, {.key = "intuition_before",
               .option = "--intuition-before",
               .help = "the intuition inside the router's softmax",
               .kept = stored::later,
               .of_training = true});
    f(low_rank_router, {.key = "low_rank_router",
                        .option = "--low-rank-router",
                        .help = "a router that reads the experts' products instead of the input",
                        .kept = stored::later});
  }

  static basic_mor1e paper(int experts = 32) {
    return {.experts = experts, .c_token = 1, .c_intuition = 1, .learned_gates = false};
  }

  int update_rank() const { return experts; }
  int router_rows() const { return router && !low_rank_router ? experts : 0; }
  double scale() const { return update_scale; }
  void rescale(double factor) { update_scale *= factor; }
  std::string size() const { return text(experts, " experts"); }
  /// As many clusters as experts need no map.
  void settle() {
    if (clusters == experts) clusters = 0;
  }
  method_needs needs() const { return {.clusters = !intuition ? 0 : clusters ? clusters : experts}; }
  bool routes() const { return router; }
  basic_mor1e without_router() const {
    require<value_error>(!before, "the intuition is inside the router's softmax, and without the router there is none");
    basic_mor1e out = *this;
    out.router = false, out.losses = {};
    return out;
  }
  std::vector<own_parameter> own_parameters() const {
    std::vector<own_parameter> out;
    if (learned_gates)
      for (const auto& [name, gate] : {std::pair("gate_a", "a"), std::pair("gate_b", "b")})
        out.push_back({.name = name,
                       .learning_rate_scale = gate_learning_rate_scale,
                       .gate = gate,
                       .gate_sharpness = backend::gate_sharpness});
    if (router && router_bias) out.push_back({.name = "router.bias", .width = experts});
    if (maps()) out.push_back({.name = "intuition_map.weight", .width = clusters, .rows = experts, .random = true});
    if (router && low_rank_router) out.push_back({.name = "router.weight", .width = experts, .rows = experts});
    return out;
  }
  std::vector<expert_term> expert_terms() const {
    std::vector<expert_term> out;
    for (int e = 0; e < experts; ++e) out.push_back({e, e, e});
    return out;
  }
  /// Throws `value_error` for options that contradict each other.
  void check(index_t) const {
    require<value_error>(router || intuition, "mor1e: router and intuition are both off");
    require<value_error>(!before || (router && intuition),
                         "mor1e: an intuition before the softmax needs router and intuition");
    require<value_error>(k >= 0 && k <= experts, "mor1e: the ", k, " largest weights of ", experts);
    require<value_error>(!(router && router_bias && low_rank_router), "mor1e: a router on the products has no bias");
    require<value_error>(router || !losses.any(), "mor1e: there is no router to have a loss");
  }
  /// Nothing on the products, the routers' own on their logits.
  template <class B, class T>
  var<T> bias(tape<B>& t, std::span<const var<T>> own) const {
    if (!router || !router_bias) return {};
    const var<T> bias = own[learned_gates ? 2 : 0];
    const var<T> parts[] = {ops::scale(t, bias, 0), bias};  // as many products as logits
    return ops::concat_columns<B, T>(t, parts);
  }

  /// x with the logits of a router on the products, and with I in them if it comes before the softmax.
  template <class B, class T>
  var<T> prepare(tape<B>& t, var<T> x, int linears, std::span<const var<T>> own, adapter_context<B, T>& step) const {
    require<value_error>(!intuition || bool(step.batch.intuition),
                         "mor1e: this step has no intuition; give one, or switch it off");
    const auto beside = [&](var<T> a, var<T> b) {
      const var<T> both[] = {a, b};
      return ops::concat_columns<B, T>(t, both);
    };
    if (router && low_rank_router) x = beside(x, ops::block_linear(t, x, own.back()));
    if (!before) return x;
    const index_t n = index_t(linears) * experts;
    var<T> of_tokens = ops::gather_rows(t, mapped(t, own, step), step.batch.instances);
    if (!maps() && linears > 1)
      of_tokens = ops::concat_columns<B, T>(t, std::vector<var<T>>(std::size_t(linears), of_tokens));
    return beside(ops::columns(t, x, 0, n), ops::add(t, ops::columns(t, x, n, n), of_tokens));
  }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>> own, adapter_context<B, T>& step) const {
    const bool after = intuition && !before;
    const backend::rank1_gates_shape s{.parts = linears,
                                       .experts = experts,
                                       .c_token = c_token == 0 ? experts : c_token,
                                       .c_intuition = c_intuition,
                                       .router = router,
                                       .intuition = after,
                                       .learned_gates = learned_gates,
                                       .own_intuition = maps()};
    const var<T> intuition_rows = after ? mapped(t, own, step) : var<T>{};
    for (int part = 0; step.mode.training && losses.any() && part < linears; ++part) {
      const var<T> logits = ops::columns(t, x, s.logits(part), experts), p = ops::softmax(t, logits);
      add_router_losses(t, losses, logits, p, ops::top_k_mask(t, p, step.batch.instances, 1),
                        backend::token_group::batch, step);
    }
    if constexpr (std::is_same_v<Router, softmax_router>)
      if (k == 0) {
        // An operand that is not read still has to be a value. One without a gradient: the op would be asked for it.
        const var<T> none = t.template nothing<T>();
        const var<T> read = after ? intuition_rows : none, a = learned_gates ? own[0] : none,
                     b = learned_gates ? own[1] : none;
        for (int part = 0; step.observed && part < linears; ++part)
          step.weights.push_back(ops::rank1_weights(t, s, part, x, read, step.batch.instances, a, b));
        return ops::rank1_gates(t, s, x, read, step.batch.instances, a, b);
      }
    return composed_rank1_gates(t, s, x, intuition_rows, learned_gates ? own[0] : var<T>{},
                                learned_gates ? own[1] : var<T>{}, route, step, k);
  }

  // Not private: that would make it no aggregate.
  bool maps() const { return intuition && clusters > 0; }
  /// I, or what each linear makes of it: [instances, experts] or [instances, linears * experts].
  template <class B, class T>
  var<T> mapped(tape<B>& t, std::span<const var<T>> own, adapter_context<B, T>& step) const {
    if (!maps()) return step.batch.intuition;
    return ops::linear(t, step.batch.intuition,
                       own[std::size_t((learned_gates ? 2 : 0) + (router && router_bias ? 1 : 0))]);
  }
};

using mor1e = basic_mor1e<>;

}  // namespace mor1e::peft
