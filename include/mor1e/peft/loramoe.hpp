// LoRAMoE: a dense mixture of LoRA experts in the feed-forward layers.
#pragma once

#include "mor1e/peft/initial_values.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/mixture.hpp"

namespace mor1e::peft {

/// z = W x + (alpha / rank) sum_e p_e B_e A_e x,  p = softmax(R x).  Dou et al. 2023: 8 experts of rank 4, alpha 32, on
/// gate, up and down alone, of an input of A with a dropout of 0.05; A and R start uniform in +-1/sqrt(in), B at zero.
/// Its own loss of balance is the variation over all pairs of instance and expert of the router's mass, weighed by
/// whether half of the experts and the kind of the instance's task go together. A step does not know kinds of tasks:
/// `losses.variation` is over the experts alone, of their mass in the batch. The script that was released trains
/// without such a loss, and so does the default.
struct loramoe {
  int experts = 8;
  int rank = 4;
  double alpha = 32;  ///< 0: no factor alpha / rank
  router_losses losses = {};
  double dropout = 0.05;  ///< in training, of the input of A, which is the same for all experts

  friend bool operator==(const loramoe&, const loramoe&) = default;
  int slots() const { return experts * rank; }
  int router_rows() const { return experts; }
  double scale() const { return mixture_scale(alpha, rank); }
  std::vector<extra_parameter> extra() const { return {}; }
  std::vector<expert_term> terms() const { return mixture_terms({experts, rank, slot_order::block}); }
  start router_start() const { return start::uniform; }
  /// Throws `value_error` for what is no rate.
  void admit(index_t) const {
    require<value_error>(dropout >= 0 && dropout < 1, "loramoe: dropout ", dropout, " is no rate in [0, 1)");
  }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>>, nn::step_context<B, T>& step) const {
    return mixture_gates(t, {experts, rank, slot_order::block}, x, linears, experts, step,
                         [&](var<T> logits) { return dense_weights(t, losses, logits, step); });
  }
};

}  // namespace mor1e::peft
