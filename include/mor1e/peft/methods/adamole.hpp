// AdaMoLE: LoRA experts above a threshold that each token sets.
#pragma once

#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/excess.hpp"
#include "mor1e/ops/normalise_sum.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/ops/sigmoid.hpp"
#include "mor1e/peft/initial_values.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/mixture.hpp"

namespace mor1e::peft {

/// z = W x + (alpha / rank) sum_e w_e B_e A_e x,  w = max(p - tau, 0) divided by its sum,  p = softmax(R x),
/// tau = threshold sigmoid(t x).  Liu and Luo 2024: 8 experts of rank 32 on q, k, v and o, threshold 1 / experts, which
/// the likeliest expert never misses, and Switch's loss with weight 0.001 over the experts that are used; alpha 16 is
/// our choice. A, R and t start uniform in +-1/sqrt(in), B at zero. t is the last row of the router.
struct adamole {
  static constexpr const char* label = "adamole";

  int experts = 8;
  int rank = 32;
  double alpha = 16;     ///< 0: no factor alpha / rank
  double threshold = 0;  ///< the largest; 0: 1 / experts
  router_losses losses = {.balance = 0.001};

  friend bool operator==(const adamole&, const adamole&) = default;
  static std::vector<preset_of<adamole>> presets() {
    return {{"adamole", {}, {"q_proj", "k_proj", "v_proj", "o_proj"}}};
  }
  template <class F>
  void fields(F f) {
    mixture_fields(*this, f);
    f(threshold, {.key = "threshold"});
  }

  int update_rank() const { return experts * rank; }
  int router_rows() const { return experts + 1; }
  double scale() const { return mixture_scale(alpha, rank); }
  void rescale(double factor) { alpha = rescaled_alpha(alpha, rank, factor); }
  std::string size() const { return mixture_size(experts, rank); }
  std::vector<own_parameter> own_parameters() const { return {}; }
  std::vector<expert_term> expert_terms() const { return mixture_terms({experts, rank, slot_order::block}); }
  start router_start() const { return start::uniform; }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>>, adapter_context<B, T>& step) const {
    return mixture_gates(t, {experts, rank, slot_order::block}, x, linears, router_rows(), step, [&](var<T> routed) {
      const var<T> logits = ops::columns(t, routed, 0, experts), p = ops::softmax(t, logits);
      const var<T> tau = ops::scale(t, ops::sigmoid(t, ops::columns(t, routed, experts, 1)),
                                    threshold == 0 ? 1.0 / experts : threshold);
      const var<T> above = ops::excess(t, p, tau);
      if (step.mode.training && losses.any())
        add_router_losses(t, losses, logits, p, used_experts(t, above, step), token_group::batch, step);
      return ops::normalise_sum(t, above);
    });
  }
};

}  // namespace mor1e::peft
