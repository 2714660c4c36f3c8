// The mixture of rank-1 experts from separate ops: the definition, and the path of a router of one's own.
#pragma once

#include <span>
#include <vector>

#include "mor1e/backend/rank1_gates.hpp"
#include "mor1e/ops/add.hpp"
#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/concat_columns.hpp"
#include "mor1e/ops/gather_rows.hpp"
#include "mor1e/ops/multiply.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/ops/scale_by.hpp"
#include "mor1e/ops/sigmoid.hpp"
#include "mor1e/ops/top_k_mask.hpp"
#include "mor1e/peft/adapter_context.hpp"
#include "mor1e/peft/router/width.hpp"

namespace mor1e::peft {

/// What `ops::rank1_gates` computes, with `router(tape, logits, step)` in place of its softmax. Arguments as there.
/// `k` > 0: of each token's weights the k largest alone, of equal ones the first.
template <class B, class T, class Router>
var<T> composed_rank1_gates(tape<B>& t, const backend::rank1_gates_shape& s, var<T> x, var<T> intuition, var<T> a,
                            var<T> b, const Router& router, adapter_context<B, T>& step, int k = 0) {
  const auto gate = [&](var<T> all, int part, double sign) {
    return ops::sigmoid(t, ops::scale(t, ops::columns(t, all, part, 1), sign * backend::gate_sharpness));
  };
  std::vector<var<T>> parts;
  for (int part = 0; part < s.parts; ++part) {
    std::vector<var<T>> terms;
    if (s.router) {
      const var<T> routed = router(t, ops::columns(t, x, s.logits(part), s.experts), step);
      require_router_width(step, part, routed.cols, s.experts);
      const var<T> p = ops::scale(t, routed, s.c_token);
      terms.push_back(s.learned_gates ? ops::scale_by(t, p, gate(a, part, 1)) : p);
    }
    if (s.intuition) {
      const var<T> own = s.own_intuition ? ops::columns(t, intuition, s.intuition_column(part), s.experts) : intuition;
      const var<T> i = ops::scale(t, ops::gather_rows(t, own, step.batch.instances), s.c_intuition);
      terms.push_back(s.learned_gates ? ops::scale_by(t, i, gate(a, part, -1)) : i);
    }
    var<T> weights = terms.size() == 2 ? ops::add(t, terms[0], terms[1]) : terms[0];
    if (k) weights = ops::multiply(t, weights, ops::top_k_mask(t, weights, step.batch.instances, k));
    if (step.observed) step.weights.push_back(s.learned_gates ? ops::scale_by(t, weights, gate(b, part, 1)) : weights);
    const var<T> g = ops::multiply(t, weights, ops::columns(t, x, s.products(part), s.experts));
    parts.push_back(s.learned_gates ? ops::scale_by(t, g, gate(b, part, 1)) : g);
  }
  return parts.size() == 1 ? parts.front() : ops::concat_columns<B, T>(t, parts);
}

}  // namespace mor1e::peft
