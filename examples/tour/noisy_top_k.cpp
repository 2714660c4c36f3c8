// A mixture whose router learns how much noise it adds to its logits, so that all experts are tried.
#include "mor1e/ops/softplus.hpp"
#include "mor1e/peft/mixture.hpp"
#include "mor1e/peft/noisy.hpp"
#include "round_trip.hpp"

using namespace mor1e;

/// z = W x + (alpha / rank) sum_e w_e B_e A_e x,  w the softmax of the k largest of R x + e softplus(N x), e normal and
/// in training alone.  Shazeer et al. 2017. N is the lower half of the router.
struct noisy_top_k {
  static constexpr const char* label = "noisy-top-k";
  int experts = 8, rank = 4, k = 2;
  double alpha = 16;
  peft::router_losses losses = {.variation = 0.01};

  friend bool operator==(const noisy_top_k&, const noisy_top_k&) = default;
  template <class F>
  void fields(F f) {
    peft::mixture_fields(*this, f);
    f(k, {.key = "top_k", .option = "--top-k", .help = "experts that work for a token", .part_of = "experts"});
  }

  int update_rank() const { return experts * rank; }
  int router_rows() const { return 2 * experts; }
  double scale() const { return peft::mixture_scale(alpha, rank); }
  void rescale(double factor) { alpha = peft::rescaled_alpha(alpha, rank, factor); }
  std::vector<peft::own_parameter> own_parameters() const { return {}; }
  std::vector<peft::expert_term> expert_terms() const { return peft::mixture_terms({experts, rank}); }
  peft::method_needs needs() const { return {.draws = true}; }

  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>>, peft::adapter_context<B, T>& step) const {
    std::uint64_t linear = 0;  // each draws its own
    return peft::mixture_gates(t, {experts, rank}, x, linears, router_rows(), step, [&](var<T> routed) {
      var<T> logits = ops::columns(t, routed, 0, experts);
      const var<T> deviation = ops::softplus(t, ops::columns(t, routed, experts, experts));
      if (step.mode.training)
        logits = ops::add(t, logits, peft::noisy(t, deviation, stream_key(step.site, linear++), step, label));
      const var<T> p = ops::softmax(t, logits), chosen = ops::top_k_mask(t, p, step.batch.instances, k);
      peft::add_router_losses(t, losses, logits, p, chosen, peft::token_group::batch, step);
      return ops::normalise_sum(t, ops::multiply(t, p, chosen));
    });
  }
};

const registered<noisy_top_k> known;

int main() { return tour::round_trip("noisy-top-k") ? 0 : 1; }
