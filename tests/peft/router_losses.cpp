// Auxiliary losses of routers.
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "peft/layer.hpp"

using namespace mor1e;
using namespace mor1e::testing::layer;

TEST_CASE("auxiliary losses by hand; none at inference, none without a weight") {
  const int experts = 4;
  const tensor<double> logits = testing::random(shape{tokens, experts}, 11, -2, 2);
  const auto loss_of = [&](const peft::router_losses& losses, peft::token_group group, bool training = true) {
    reference device;
    tape<reference> t(device, recording::forward);
    peft::adapter_context step(context(t, training));
    const var<double> l = t.input<double>(logits.matrix()), p = ops::softmax(t, l);
    peft::add_router_losses(t, losses, l, p, ops::top_k_mask(t, p, step.batch.instances, 2), group, step);
    return step.auxiliary_losses.empty() ? NAN : t.read(step.auxiliary_losses.front())[0];
  };
  double z = 0, entropy = 0, mean[experts] = {}, count[experts] = {};
  for (index_t i = 0; i < tokens; ++i) {
    if (rows_of[std::size_t(i)] < 0) continue;
    const double* l = logits.data() + i * experts;
    double sum = 0;
    for (int e = 0; e < experts; ++e) sum += std::exp(l[e]);
    z += std::log(sum) * std::log(sum) / live;
    for (int e = 0; e < experts; ++e) {
      const double p = std::exp(l[e]) / sum;
      int larger = 0;
      for (int o = 0; o < experts; ++o) larger += l[o] > l[e];
      entropy -= p * std::log(p) / live, mean[e] += p / live, count[e] += larger < 2;
    }
  }
  double gshard = 0, balance = 0, squares = 0;
  for (int e = 0; e < experts; ++e) {
    gshard += count[e] / live * mean[e] / experts;
    balance += experts * count[e] / (2 * live) * mean[e];
    squares += (mean[e] - 1.0 / experts) * (mean[e] - 1.0 / experts) / experts;
  }
  const auto batch = peft::token_group::batch;
  CHECK(loss_of({.gshard = 2}, batch) == doctest::Approx(2 * gshard).epsilon(1e-13));
  CHECK(loss_of({.balance = 3}, batch) == doctest::Approx(3 * balance).epsilon(1e-13));
  CHECK(loss_of({.variation = 5}, batch) == doctest::Approx(5 * squares * experts * experts).epsilon(1e-12));
  CHECK(loss_of({.z = 7}, batch) == doctest::Approx(7 * z).epsilon(1e-13));
  CHECK(loss_of({.entropy = 11}, batch) == doctest::Approx(11 * entropy).epsilon(1e-13));
  CHECK(loss_of({.gshard = 2, .balance = 3, .z = 7}, batch) ==
        doctest::Approx(2 * gshard + 3 * balance + 7 * z).epsilon(1e-13));
  CHECK(std::abs(loss_of({.gshard = 2}, peft::token_group::instance) - 2 * gshard) > 1e-4);
  CHECK(std::isnan(loss_of({.gshard = 2}, batch, false)));
  CHECK(std::isnan(loss_of({}, batch)));
}

TEST_CASE("the losses of MoR1E's router are those of a mixture with the same logits") {
  const peft::router_losses losses{.gshard = 0.3, .balance = 0.2, .variation = 0.4, .z = 0.05, .entropy = 0.1};
  group ours = linears({4, 3}), theirs = linears({4, 3});
  auto mor1e = peft::attach(std::vector{&ours},
                            peft::mor1e{.experts = 4, .learned_gates = false, .intuition = false, .losses = losses});
  auto molora = peft::attach(std::vector{&theirs}, peft::molora{.experts = 4, .rank = 1, .losses = losses});
  randomise(mor1e), randomise(molora);  // by name: the routers are the same
  const double expected = run(theirs, &molora).loss[0];
  CHECK(expected > 0.1);
  CHECK(run(ours, &mor1e).loss[0] == doctest::Approx(expected));
  CHECK(run(ours, &mor1e, false).loss[0] == 0);
  const peft::mor1e none{.experts = 4, .router = false, .losses = losses};
  group other = linears({4});
  CHECK_THROWS_WITH_AS(peft::attach(std::vector{&other}, none), doctest::Contains("no router to have a loss"),
                       value_error);
}
