// Mix-and-match of rank-1 experts: every input vector with every output vector.
#pragma once

#include <span>
#include <vector>

#include "mor1e/ops/fold_columns.hpp"
#include "mor1e/ops/spread_columns.hpp"
#include "mor1e/peft/methods/mor1e.hpp"

namespace mor1e::peft {

/// z = W x + scale U (G(x)^T V^T x),  V^T [r1, in], U [out, r2], G [r1, r2] the weights of the pairs (v_i, u_j) in
/// rows.
///
/// The pairs are r1 r2 experts of a MoR1E: one softmax over all of them, one cluster of the intuition each, the same
/// gates and presets. (The paper's figure has G transposed.) The router has r1 r2 rows: it outgrows all else, and from
/// 1024 pairs on `attach` refuses it. Factorised: G = p q^T from r1 + r2 logits, p and q softmaxes; the form for many
/// pairs. Source: Intuition-MoR1E, section 3.4; the released code runs 4 x 8.
struct mix_and_match {
  static constexpr const char* label = "mix";
  static constexpr const char* peft_type = "MIX_AND_MATCH";

  int r1 = 4;
  int r2 = 8;
  bool factorised = false;
  double c_token = 0;  ///< 0: the number of pairs
  double c_intuition = 4;
  bool learned_gates = true;
  bool router = true;
  bool intuition = true;
  double update_scale = 1;
  double gate_learning_rate_scale = 1;
  int clusters = 0;  ///< as in MoR1E: not 0, through a learned map [r1 r2, clusters]
  int k = 0;         ///< not 0: the pairs with the k largest weights alone
  router_losses losses = {};

  friend bool operator==(const mix_and_match&, const mix_and_match&) = default;
  static std::vector<preset_of<mix_and_match>> presets() { return {{"mix"}, {"mix-paper", paper()}}; }
  template <class F>
  void fields(F f) {
    f(r1, {.key = "r1", .option = "--r1", .help = "input vectors", .takes = accepts::size});
    f(r2, {.key = "r2", .option = "--r2", .help = "output vectors", .takes = accepts::size, .least = 1});
    f(factorised, {.key = "factorised", .option = "--factorised", .help = "routers of r1 + r2 rows instead of r1 r2"});
    rank1_fields(*this, "r2", f);
    f(clusters, clusters_field(stored::always));
  }

  static mix_and_match paper(int r1 = 4, int r2 = 8) {
    return {.r1 = r1, .r2 = r2, .c_token = 1, .c_intuition = 1, .learned_gates = false};
  }

  /// The mixture of the pairs.
  mor1e pairs() const {
    return {.experts = r1 * r2,
            .c_token = c_token,
            .c_intuition = c_intuition,
            .learned_gates = learned_gates,
            .router = router,
            .intuition = intuition,
            .gate_learning_rate_scale = gate_learning_rate_scale,
            .clusters = clusters,
            .k = k,
            .losses = losses};
  }
  int update_rank() const { return r2; }
  int down_rows() const { return r1; }
  int router_rows() const { return !router ? 0 : factorised ? r1 + r2 : r1 * r2; }
  double scale() const { return update_scale; }
  void rescale(double factor) { update_scale *= factor; }
  std::string size() const { return text(r1, " x ", r2, " pairs"); }
  void settle() {
    if (clusters == r1 * r2) clusters = 0;
  }
  method_needs needs() const { return pairs().needs(); }
  bool routes() const { return router; }
  mix_and_match without_router() const {
    mix_and_match out = *this;
    out.router = false, out.losses = {};
    return out;
  }
  std::vector<own_parameter> own_parameters() const { return pairs().own_parameters(); }
  std::vector<expert_term> expert_terms() const {
    std::vector<expert_term> out;
    for (int pair = 0; pair < r1 * r2; ++pair) out.push_back({pair, pair % r2, pair / r2});
    return out;
  }
  /// Throws `value_error` for a router of very many parameters. `inputs`: of all linears together.
  void check(index_t inputs) const {
    require<value_error>(factorised || !router || r1 * r2 < 1024, "mix: ", r1, " x ", r2, " pairs need routers of ",
                         index_t(r1) * r2 * inputs, " parameters; factorise them, or take fewer");
    pairs().check(inputs);
  }

  /// [products | logits] of r1 * r2 pairs a linear. The product of a pair is that of its input vector, and
  /// softmax(a_i + b_j) over pairs is softmax(a)_i softmax(b)_j.
  template <class B, class T>
  var<T> prepare(tape<B>& t, var<T> x, int linears, std::span<const var<T>> own, adapter_context<B, T>& step) const {
    std::vector<var<T>> parts{ops::spread_columns(t, router ? ops::columns(t, x, 0, index_t(linears) * r1) : x, r2, 1)};
    const index_t first = index_t(linears) * r1, rows = router_rows();
    if (router && !factorised) parts.push_back(ops::columns(t, x, first, linears * rows));
    for (int p = 0; p < linears && router && factorised; ++p) {
      const var<T> a = ops::columns(t, x, first + p * rows, r1), b = ops::columns(t, x, first + p * rows + r1, r2);
      parts.push_back(ops::add(t, ops::spread_columns(t, a, r2, 1), ops::spread_columns(t, b, r1, r2)));
    }
    return pairs().prepare(t, parts.size() == 1 ? parts.front() : ops::concat_columns<B, T>(t, parts), linears, own,
                           step);
  }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>> own, adapter_context<B, T>& step) const {
    return ops::fold_columns(t, pairs().gates(t, x, linears, own, step), r1, r2);
  }
};

}  // namespace mor1e::peft
