// HydraLoRA: one A for all, a B for each expert.
#pragma once

#include "mor1e/peft/initial_values.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/mixture.hpp"

namespace mor1e::peft {

/// z = W x + (alpha / rank) sum_e p_e B_e A x,  p = softmax(R x), A shared.  Tian et al. 2024: 4 heads of rank 4, alpha
/// 32, on gate, up and down alone; A and R start uniform in +-1/sqrt(in), B at zero. lora_B holds the heads side by
/// side.
struct hydralora {
  static constexpr const char* label = "hydralora";

  int experts = 4;
  int rank = 4;
  double alpha = 32;  ///< 0: no factor alpha / rank
  router_losses losses = {};

  friend bool operator==(const hydralora&, const hydralora&) = default;
  static std::vector<preset_of<hydralora>> presets() {
    return {{"hydralora", {}, {"gate_proj", "up_proj", "down_proj"}}};
  }
  template <class F>
  void fields(F f) {
    mixture_fields(*this, f);
  }

  int update_rank() const { return experts * rank; }
  int down_rows() const { return rank; }
  int router_rows() const { return experts; }
  double scale() const { return mixture_scale(alpha, rank); }
  void rescale(double factor) { alpha = rescaled_alpha(alpha, rank, factor); }
  std::string size() const { return mixture_size(experts, rank); }
  std::vector<own_parameter> own_parameters() const { return {}; }
  std::vector<expert_term> expert_terms() const { return mixture_terms({experts, rank, slot_order::shared}); }
  start router_start() const { return start::uniform; }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>>, adapter_context<B, T>& step) const {
    return mixture_gates(t, {experts, rank, slot_order::shared}, x, linears, experts, step,
                         [&](var<T> logits) { return dense_weights(t, losses, logits, step); });
  }
};

}  // namespace mor1e::peft
