// LoRAMoE's balance of experts by types of task.
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "peft/layer.hpp"

using namespace mor1e;
using namespace mor1e::testing::layer;

namespace {

constexpr int experts = 4;

/// Of weights that are given, times 1: that of the one loss left in the step; NaN without one.
double loss_of(const tensor<double>& p, double weight, double delta, bool training = true, bool typed = true) {
  reference device;
  tape<reference> t(device, recording::forward);
  peft::adapter_context step(context(t, training, in_one_piece));
  if (!typed) step.batch.types = {};
  peft::add_type_balance(t, weight, delta, t.input<double>(p.matrix()), step);
  return step.auxiliary_losses.empty() ? NAN : t.read(step.auxiliary_losses.front())[0];
}

}  // namespace

TEST_CASE("the balance by types is the squared coefficient of variation of masses that the types weigh") {
  const tensor<double> p = testing::random(shape{tokens, experts}, 3, 0.1, 1);
  // Instances 0, 1, 2 have 3, 5 and 2 tokens, and types 0, 1, 0; rows of no instance have masses too.
  const auto expected = [&](double delta) {
    std::vector<double> masses;
    for (int i = 0; i < instances; ++i)
      for (int e = 0; e < experts; ++e) {
        double sum = 0;
        int count = 0;
        for (index_t row = 0; row < tokens; ++row)
          if (in_one_piece[std::size_t(row)] == i) sum += p[row * experts + e], ++count;
        const bool favoured = (i == 1) == (e < experts / 2);
        masses.push_back(sum / count * (favoured ? 1 + delta : 1 - delta));
      }
    double mean = 0, variance = 0;
    for (const double m : masses) mean += m / double(masses.size());
    for (const double m : masses) variance += (m - mean) * (m - mean) / double(masses.size() - 1);
    return variance / (mean * mean);
  };
  for (const double delta : {0.0, 0.3, 1.0}) {
    CAPTURE(delta);
    CHECK(loss_of(p, 1, delta) == doctest::Approx(expected(delta)).epsilon(1e-12));
    CHECK(loss_of(p, 5, delta) == doctest::Approx(5 * expected(delta)).epsilon(1e-12));
  }
  CHECK(std::isnan(loss_of(p, 0, 0.3)));
  CHECK(std::isnan(loss_of(p, 1, 0.3, false)));
  CHECK_THROWS_WITH_AS(loss_of(p, 1, 0.3, true, false),
                       "type balance: this step does not say of which type its tasks are (types)", value_error);
}

TEST_CASE("equal experts are balanced whatever the lengths; with delta 1 each type wants its half alone") {
  const tensor<double> even(shape{tokens, experts}, 0.25);
  CHECK(std::abs(loss_of(even, 1, 0)) < 1e-12);
  // Half of the 12 entries are 1/2, the others 0: mean 1/4, variance 12/16 / 11.
  CHECK(loss_of(even, 1, 1) == doctest::Approx(12.0 / 11).epsilon(1e-12));
  // The same where a type has its half alone, whatever delta takes from the other.
  tensor<double> halved(shape{tokens, experts}, 0.0);
  for (index_t row = 0; row < tokens; ++row)
    for (int e = 0; e < experts / 2; ++e)
      halved[row * experts + e + (in_one_piece[std::size_t(row)] == 1 ? 0 : experts / 2)] = 0.5;
  for (const double delta : {0.0, 0.5, 1.0})
    CHECK(loss_of(halved, 1, delta) == doctest::Approx(12.0 / 11).epsilon(1e-12));
}

TEST_CASE("a type balance of no weight, no part, or no halves is refused") {
  group g = linears({4});
  const auto refused = [&](const peft::loramoe& method, const char* why) {
    CHECK_THROWS_WITH_AS(peft::attach(std::vector{&g}, method), why, value_error);
  };
  refused({.type_balance = -1, .delta = 0.5},
          "loramoe: a type balance of weight -1 with delta 0.5; the weight is from 0 on, delta in [0, 1]");
  refused({.type_balance = 1, .delta = 1.5},
          "loramoe: a type balance of weight 1 with delta 1.5; the weight is from 0 on, delta in [0, 1]");
  refused({.experts = 3, .type_balance = 1}, "loramoe: 3 experts have no halves for a type balance");
}
