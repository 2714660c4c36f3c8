// A router outside the library's tree: MoR1E composes it, gradient included.
#include <cstdio>

#include "mor1e/mor1e.hpp"

using namespace mor1e;

struct temperature_router {
  double temperature = 1;
  auto operator()(auto& tape, auto logits, auto&) const {
    return ops::softmax(tape, ops::scale(tape, logits, 1 / temperature));
  }
};

int main() {
  cpu device;
  const auto model = models::load<cpu, float>(device, "toy");
  auto adapters = peft::attach(
      *model, peft::basic_mor1e<temperature_router>{.experts = 8, .intuition = false, .route = {.temperature = 2}});
  std::printf("%lld trainable parameters\n", static_cast<long long>(adapters.parameter_count()));
  return adapters.parameter_count() > 0 ? 0 : 1;
}
