// MoLoRA: a dense mixture of LoRA experts.
#pragma once

#include "mor1e/peft/initial_values.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/mixture.hpp"

namespace mor1e::peft {

/// z = W x + (alpha / rank) sum_e p_e B_e A_e x,  p = softmax(R x).  Zadouri et al. 2023: 10 experts of rank 4,
/// alpha 16. A and R are drawn from N(0, 0.02), B is zero.
struct molora {
  static constexpr const char* label = "molora";

  int experts = 10;
  int rank = 4;
  double alpha = 16;  ///< 0: no factor alpha / rank
  slot_order order = slot_order::block;
  start start_of_products = start::normal;
  start start_of_router = start::normal;
  router_losses losses = {};

  friend bool operator==(const molora&, const molora&) = default;
  static std::vector<preset_of<molora>> presets() { return {{"molora"}, {"molora-release", release()}}; }
  template <class F>
  void fields(F f) {
    mixture_fields(*this, f);
    f(order, {.key = "slot_order"});
    f(start_of_products, {.key = "start_of_products"});
    f(start_of_router, {.key = "start_of_router"});
  }

  /// As the baseline of Intuition-MoR1E was run: 8 experts of rank 4, no alpha, LoRA's start of A and a router of
  /// zeros.
  static molora release() {
    return {.experts = 8,
            .rank = 4,
            .alpha = 0,
            .order = slot_order::tiled,
            .start_of_products = start::uniform,
            .start_of_router = start::zero};
  }

  int update_rank() const { return experts * rank; }
  int router_rows() const { return experts; }
  double scale() const { return mixture_scale(alpha, rank); }
  void rescale(double factor) { alpha = rescaled_alpha(alpha, rank, factor); }
  std::string size() const { return mixture_size(experts, rank); }
  std::vector<own_parameter> own_parameters() const { return {}; }
  std::vector<expert_term> expert_terms() const { return mixture_terms({experts, rank, order}); }
  start down_start() const { return start_of_products; }
  start router_start() const { return start_of_router; }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>>, adapter_context<B, T>& step) const {
    return mixture_gates(t, {experts, rank, order}, x, linears, experts, step,
                         [&](var<T> logits) { return dense_weights(t, losses, logits, step); });
  }
};

}  // namespace mor1e::peft
