// LoRAMoE: a dense mixture of LoRA experts in the feed-forward layers.
#pragma once

#include "mor1e/peft/initial_values.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/mixture.hpp"
#include "mor1e/peft/type_balance.hpp"

namespace mor1e::peft {

/// z = W x + (alpha / rank) sum_e p_e B_e A_e x,  p = softmax(R x).  Dou et al. 2023: 8 experts of rank 4, alpha 32, on
/// gate, up and down alone, of an input of A with a dropout of 0.05; A and R start uniform in +-1/sqrt(in), B at zero.
/// Its own loss of balance is `type_balance` times the variation of the router's mass over all pairs of instance and
/// expert; half of the experts belong to each type of task, and mass on the other half counts less
/// (`add_type_balance`). Its steps need `program_options::types`. `losses.variation` is over the experts alone, of
/// their mass in the batch. Both are of a micro-batch as a whole. The script that was released trains without, and so
/// does the default.
struct loramoe {
  static constexpr const char* label = "loramoe";

  int experts = 8;
  int rank = 4;
  double alpha = 32;  ///< 0: no factor alpha / rank
  router_losses losses = {};
  double dropout = 0.05;    ///< in training, of the input of A, which is the same for all experts
  double type_balance = 0;  ///< weight of the loss; 0: none
  double delta = 0;         ///< in [0, 1], by how much a type of task favours its half of the experts

  friend bool operator==(const loramoe&, const loramoe&) = default;
  static std::vector<preset_of<loramoe>> presets() { return {{"loramoe", {}, {"gate_proj", "up_proj", "down_proj"}}}; }
  template <class F>
  void fields(F f) {
    mixture_fields(*this, f);
    f(dropout, {.key = "lora_dropout",
                .option = "--dropout",
                .help = "part of the input of the update that is dropped in training",
                .takes = accepts::rate,
                .of_training = true});
    f(type_balance, {.key = "type_balance_loss",
                     .option = "--type-balance",
                     .help = "weight of the loss of balance by types of task, which --task-types gives",
                     .takes = accepts::not_negative,
                     .kept = stored::later,
                     .of_training = true});
    f(delta, {.key = "type_delta",
              .option = "--type-delta",
              .help = "by how much a type of task favours its half of the experts",
              .takes = accepts::fraction,
              .kept = stored::later,
              .of_training = true});
  }

  int update_rank() const { return experts * rank; }
  int router_rows() const { return experts; }
  double scale() const { return mixture_scale(alpha, rank); }
  void rescale(double factor) { alpha = rescaled_alpha(alpha, rank, factor); }
  std::string size() const { return mixture_size(experts, rank); }
  std::vector<own_parameter> own_parameters() const { return {}; }
  std::vector<expert_term> expert_terms() const { return mixture_terms({experts, rank, slot_order::block}); }
  double input_dropout() const { return dropout; }
  method_needs needs() const { return {.draws = dropout > 0, .types = type_balance > 0}; }
  start router_start() const { return start::uniform; }
  /// Throws `value_error` for what is no rate, no weight, or no half of the experts.
  void check(index_t) const {
    require<value_error>(dropout >= 0 && dropout < 1, "loramoe: dropout ", dropout, " is no rate in [0, 1)");
    require<value_error>(type_balance >= 0 && delta >= 0 && delta <= 1, "loramoe: a type balance of weight ",
                         type_balance, " with delta ", delta, "; the weight is from 0 on, delta in [0, 1]");
    require<value_error>(type_balance == 0 || experts % 2 == 0, "loramoe: ", experts,
                         " experts have no halves for a type balance");
  }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>>, adapter_context<B, T>& step) const {
    return mixture_gates(t, {experts, rank, slot_order::block}, x, linears, experts, step, [&](var<T> logits) {
      const var<T> p = dense_weights(t, losses, logits, step);
      add_type_balance(t, type_balance, delta, p, step);
      return p;
    });
  }
};

}  // namespace mor1e::peft
