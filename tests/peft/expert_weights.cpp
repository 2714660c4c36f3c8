// The weights that methods show are those with which their experts enter, and the norms of updates are those of the
// matrices.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"
#include "peft/adapter_values.hpp"

using namespace mor1e;
using testing::randomise;
using testing::values_of;

namespace {

using group = nn::projection_group<reference, double>;
using adapters = peft::adapter_set<reference, double>;

constexpr index_t inputs = 5, tokens = 7, instances = 3;
const std::vector<std::int32_t> rows_of{0, 0, 2, -1, 1, 1, 2};  // one dead row

group two_linears() {
  std::vector<nn::projection<reference, double>> parts(2);
  for (std::size_t p = 0; p < 2; ++p) {
    parts[p].name = text("linear", p);
    parts[p].w = nn::weight<reference, double>(
        backend::host_frozen<double>(testing::memory, testing::random(shape{4 - index_t(p), inputs}, 10 + p)));
  }
  return group(testing::memory, std::move(parts));
}

struct observer final : nn::router_observer<reference, double> {
  std::vector<std::pair<std::string, tensor<double>>> seen;
  void observe(tape<reference>& t, std::span<const std::string> names, std::span<const var<double>> weights,
               const nn::step_context<reference, double>&) override {
    REQUIRE(names.size() == weights.size());
    for (std::size_t p = 0; p < names.size(); ++p) seen.emplace_back(names[p], t.read(weights[p]));
  }
};

/// What the group makes of x beyond its base, and what it shows.
struct outcome {
  tensor<double> update;
  observer routers;
};

outcome run(const group& g, const tensor<double>& x, index_t clusters, bool observed) {
  reference device;
  tape<reference> t(device, recording::forward);
  nn::step_context<reference, double> step;
  step.batch.instances = t.input<std::int32_t>(view<const std::int32_t>(rows_of.data(), tokens, 1));
  const tensor<double> felt = testing::random(shape{instances, std::max<index_t>(1, clusters)}, 2);
  if (clusters) step.batch.intuition = t.input<double>(felt.matrix());
  // In training SiRA drops gates and refuses tokens.
  step.mode.training = true;
  const std::vector<std::int32_t> positions{0, 1, 0, 2, 0, 1, 1}, key{7, 9};
  step.batch.examples = step.batch.instances;
  step.batch.positions = t.input<std::int32_t>(view<const std::int32_t>(positions.data(), tokens, 1));
  step.batch.draw = t.input<std::int32_t>(view<const std::int32_t>(key.data(), 1, 2));
  outcome out;
  if (observed) step.observers.routers = &out.routers;
  const var<double> in = t.input<double>(x.matrix());
  const tensor<double> base = t.read(g.base(t, in));
  out.update = t.read(g.forward(t, in, step));
  for (index_t i = 0; i < base.size(); ++i) out.update[i] -= base[i];
  return out;
}

/// Product V^T x number k of a linear at a token.
double product(view<double> down, index_t k, const tensor<double>& x, index_t row) {
  double sum = 0;
  for (index_t i = 0; i < inputs; ++i) sum += down(k, i) * x[row * inputs + i];
  return sum;
}

/// z - W x = s sum over experts e of w_e times its terms, with the weights the method shows; and the norms.
template <class M>
void check(const M& method, index_t clusters) {
  group g = two_linears();
  auto set = peft::attach(std::vector{&g}, method);
  randomise(set, 0.02);
  const tensor<double> x = testing::random(shape{tokens, inputs}, 1, -2, 2);
  const outcome got = run(g, x, clusters, true);
  REQUIRE(got.routers.seen.size() == 2);
  const outcome unobserved = run(g, x, clusters, false);
  CHECK(std::equal(got.update.begin(), got.update.end(), unobserved.update.begin()));
  std::vector<peft::update_norms> norms;
  set.each([&](const auto&, auto& adapter) { norms = adapter.expert_norms(); });
  REQUIRE(norms.size() == 2);

  index_t first = 0;
  for (std::size_t p = 0; p < 2; ++p) {
    const auto& [name, weights] = got.routers.seen[p];
    CHECK(name == text("linear", p));
    CHECK(norms[p].linear == name);
    const view<double> down = values_of(set, name + ".lora_A.weight"), up = values_of(set, name + ".lora_B.weight");
    const index_t experts = weights.extents().cols();
    REQUIRE(norms[p].experts.size() == std::size_t(experts));
    for (index_t row = 0; row < tokens; ++row)
      for (index_t out = 0; out < up.rows; ++out) {
        double expected = 0;
        for (const peft::expert_term& k : method.expert_terms())
          expected +=
              method.scale() * weights[row * experts + k.expert] * up(out, k.slot) * product(down, k.product, x, row);
        CHECK(got.update[row * got.update.extents().cols() + first + out] == doctest::Approx(expected).epsilon(1e-9));
      }
    for (index_t e = 0; e < experts; ++e) {
      double squares = 0;
      for (index_t out = 0; out < up.rows; ++out)
        for (index_t in = 0; in < inputs; ++in) {
          double entry = 0;
          for (const peft::expert_term& k : method.expert_terms())
            if (k.expert == e) entry += up(out, k.slot) * down(k.product, in);
          squares += entry * entry;
        }
      CHECK(norms[p].experts[std::size_t(e)] == doctest::Approx(method.scale() * std::sqrt(squares)).epsilon(1e-9));
    }
    first += up.rows;
  }
}

/// Leaves the weights of one linear, however many there are.
struct forgetful {
  int update_rank() const { return 2; }
  int router_rows() const { return 0; }
  double scale() const { return 1; }
  std::vector<peft::own_parameter> own_parameters() const { return {}; }
  template <class B, class T>
  var<T> gates(tape<B>&, var<T> x, int, std::span<const var<T>>, peft::adapter_context<B, T>& step) const {
    if (step.observed) step.weights.push_back(x);
    return x;
  }
};

struct temperature_router {
  double temperature = 1;
  auto operator()(auto& tape, auto logits, auto&) const {
    return ops::softmax(tape, ops::scale(tape, logits, 1 / temperature));
  }
};

}  // namespace

TEST_CASE("the weights a method shows, times the terms of its experts, are its update; so are its norms") {
  const peft::router_losses none{};
  SUBCASE("molora") { check(peft::molora{.experts = 4, .rank = 2}, 0); }
  SUBCASE("molora, tiled") { check(peft::molora{.experts = 4, .rank = 3, .order = peft::slot_order::tiled}, 0); }
  SUBCASE("sira") {
    check(peft::sira{.experts = 4, .rank = 2, .k = 2, .capacity = 0.5, .gate_dropout = 0.3, .losses = none}, 0);
  }
  SUBCASE("loramoe") { check(peft::loramoe{.experts = 3, .rank = 2, .dropout = 0}, 0); }
  SUBCASE("hydralora") { check(peft::hydralora{.experts = 4, .rank = 3}, 0); }
  SUBCASE("adamole") { check(peft::adamole{.experts = 4, .rank = 2, .losses = none}, 0); }
  SUBCASE("mor1e") { check(peft::mor1e{.experts = 4, .update_scale = 0.5}, 4); }
  SUBCASE("mor1e, paper") { check(peft::mor1e::paper(4), 4); }
  SUBCASE("mor1e, intuition alone") { check(peft::mor1e{.experts = 4, .router = false}, 4); }
  SUBCASE("mor1e, router alone") { check(peft::mor1e{.experts = 4, .intuition = false}, 0); }
  SUBCASE("mor1e, mapped, with a bias") { check(peft::mor1e{.experts = 4, .router_bias = true, .clusters = 6}, 6); }
  SUBCASE("mor1e, before, low rank") { check(peft::mor1e{.experts = 4, .before = true, .low_rank_router = true}, 4); }
  SUBCASE("mor1e, a router of one's own") {
    check(peft::basic_mor1e<temperature_router>{.experts = 4, .route = {2}}, 4);
  }
  SUBCASE("mor1e, the largest alone") { check(peft::mor1e{.experts = 4, .k = 2}, 4); }
  SUBCASE("mix") { check(peft::mix_and_match{.r1 = 3, .r2 = 2}, 6); }
  SUBCASE("mix, factorised, paper") {
    auto method = peft::mix_and_match::paper(2, 3);
    method.factorised = true;
    check(method, 6);
  }
}

TEST_CASE("by hand: constants, learned gates and intuition are in the weights of MoR1E") {
  group g = two_linears();
  auto set = peft::attach(std::vector{&g}, peft::mor1e{.experts = 3});
  randomise(set, 0.02);
  const tensor<double> x = testing::random(shape{tokens, inputs}, 1, -2, 2);
  const tensor<double> felt = testing::random(shape{instances, 3}, 2);
  const outcome got = run(g, x, 3, true);
  for (const auto& [name, weights] : got.routers.seen) {
    const view<double> router = values_of(set, name + ".router.weight");
    const double t = 1 / (1 + std::exp(-100 * values_of(set, name + ".gate_a")[0])),
                 o = 1 / (1 + std::exp(-100 * values_of(set, name + ".gate_b")[0]));
    for (index_t row = 0; row < tokens; ++row) {
      double sum = 0;
      for (index_t e = 0; e < 3; ++e) sum += std::exp(product(router, e, x, row));
      for (index_t e = 0; e < 3; ++e) {
        const std::int32_t of = rows_of[std::size_t(row)];
        const double p = std::exp(product(router, e, x, row)) / sum, i = of < 0 ? 0 : felt[of * 3 + e];
        CHECK(weights[row * 3 + e] == doctest::Approx(o * (3 * t * p + 4 * (1 - t) * i)).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("a method without experts shows nothing, whoever looks") {
  group g = two_linears();
  const tensor<double> x = testing::random(shape{tokens, inputs}, 1);
  const auto silent = [&](const auto& method) {
    auto set = peft::attach(std::vector{&g}, method);
    CHECK(run(g, x, 0, true).routers.seen.empty());
    set.each([&](const auto&, auto& adapter) { CHECK(adapter.expert_norms().empty()); });
  };
  silent(peft::lora{.rank = 2});
  silent(peft::dora{.rank = 2});

  auto set = peft::attach(std::vector{&g}, forgetful{});
  CHECK_THROWS_WITH_AS(run(g, x, 0, true), "linear0: weights of 1 linears, there are 2", value_error);
  run(g, x, 0, false);
}
