// Methods against others that they equal: a router on the products, maps of the intuition, factorised pairs, DoRA.
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
#include "peft/layer.hpp"

using namespace mor1e;
using testing::randomise;
using testing::values_of;

namespace {

using group = nn::projection_group<reference, double>;
using adapters = peft::adapter_set<reference, double>;

constexpr index_t rows = 6, inputs = 5;

/// Linears of 4 and 3 outputs, with biases.
group two_linears() {
  std::vector<nn::projection<reference, double>> parts(2);
  for (std::size_t p = 0; p < 2; ++p) {
    const index_t outputs = 4 - index_t(p);
    parts[p].name = text("linear", p);
    parts[p].w = nn::weight<reference, double>(
        backend::host_frozen<double>(testing::memory, testing::random(shape{outputs, inputs}, 10 + p)));
    auto bias = std::make_unique<param<reference, double>>(testing::memory, "bias", shape{1, outputs});
    const tensor<double> values = testing::random(shape{1, outputs}, 20 + p);
    bias->write(values);
    parts[p].b = nn::vector_weight<reference, double>(std::move(bias), false);
  }
  return group(testing::memory, std::move(parts));
}

/// Copies what has the same name and size.
void copy_shared(adapters& from, adapters& to) {
  for (auto& v : to.views())
    for (auto& other : from.views())
      if (v.name == other.name && v.extents.size() == other.extents.size()) v.write(other.read());
}

tensor<double> output(const group& g, const tensor<double>& intuition) {
  reference device;
  tape<reference> t(device, recording::forward);
  nn::step_context<reference, double> step;
  const std::vector<std::int32_t> of{0, 0, 1, -1, 1, 0};
  step.batch.instances = t.input<std::int32_t>(view<const std::int32_t>(of.data(), rows, 1));
  if (!intuition.empty()) step.batch.intuition = t.input<double>(intuition.matrix());
  const tensor<double> x = testing::random(shape{rows, inputs}, 1);
  return t.read(g.forward(t, t.input<double>(x.matrix()), step));
}

std::string difference(const tensor<double>& a, const tensor<double>& b) {
  return testing::violation(a.data(), b.data(), b.size(), {.atol = 1e-12});
}

/// to = a b
void product(view<const double> a, view<const double> b, view<double> to) {
  reference device;
  gemm(device, backend::transpose::no, backend::transpose::no, 1.0, a, b, 0.0, to);
}

}  // namespace

TEST_CASE("a router on the products is a router R V^T on the input") {
  const tensor<double> intuition = testing::random(shape{2, 6}, 2);
  for (const bool before : {false, true}) {
    group low = two_linears(), full = two_linears();
    auto ours = peft::attach(std::vector{&low}, peft::mor1e{.experts = 6, .before = before, .low_rank_router = true});
    auto expected = peft::attach(std::vector{&full}, peft::mor1e{.experts = 6, .before = before});
    randomise(ours);
    copy_shared(ours, expected);
    for (const std::string linear : {"linear0", "linear1"}) {
      REQUIRE(values_of(ours, linear + ".router.weight").cols == 6);
      product(values_of(ours, linear + ".router.weight"), values_of(ours, linear + ".lora_A.weight"),
              values_of(expected, linear + ".router.weight"));
    }
    CHECK(difference(output(low, intuition), output(full, intuition)) == "");
    std::fill_n(values_of(ours, "linear1.router.weight").data, 36, 0.0);
    CHECK(difference(output(low, intuition), output(full, intuition)) != "");
  }
}

TEST_CASE("each linear has a map of the intuition of its own") {
  const tensor<double> clusters = testing::random(shape{2, 3}, 2);
  for (const bool before : {false, true}) {
    group mapped = two_linears();
    auto ours = peft::attach(std::vector{&mapped}, peft::mor1e{.experts = 6, .clusters = 3, .before = before});
    randomise(ours);
    const tensor<double> y = output(mapped, clusters);
    for (index_t p = 0; p < 2; ++p) {
      // With the intuition that this map makes the linear is as without a map.
      const std::string linear = text("linear", p);
      const view<const double> map = values_of(ours, linear + ".intuition_map.weight");
      REQUIRE(map.rows == 6);
      tensor<double> made(shape{2, 6}, 0.0);
      for (index_t i = 0; i < 2; ++i)
        for (index_t j = 0; j < 6; ++j)
          for (index_t k = 0; k < 3; ++k) made[i * 6 + j] += map(j, k) * clusters[i * 3 + k];
      group plain = two_linears();
      auto other = peft::attach(std::vector{&plain}, peft::mor1e{.experts = 6, .before = before});
      copy_shared(ours, other);
      const tensor<double> expected = output(plain, made);
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = p * 4; j < 4 + p * 3; ++j)
          CHECK(y[i * 7 + j] == doctest::Approx(expected[i * 7 + j]).epsilon(1e-12));
    }
  }
}

TEST_CASE("factorised pairs are pairs whose logits are sums") {
  const tensor<double> intuition = testing::random(shape{2, 6}, 2);
  group sums = two_linears(), full = two_linears();
  auto ours = peft::attach(std::vector{&sums}, peft::mix_and_match{.r1 = 2, .r2 = 3, .factorised = true});
  auto expected = peft::attach(std::vector{&full}, peft::mix_and_match{.r1 = 2, .r2 = 3});
  randomise(ours);
  copy_shared(ours, expected);
  for (const std::string linear : {"linear0", "linear1"}) {
    const view<const double> from = values_of(ours, linear + ".router.weight");
    const view<double> to = values_of(expected, linear + ".router.weight");
    REQUIRE(from.rows == 5);
    REQUIRE(to.rows == 6);
    for (index_t i = 0; i < 2; ++i)
      for (index_t j = 0; j < 3; ++j)
        for (index_t k = 0; k < inputs; ++k) to(i * 3 + j, k) = from(i, k) + from(2 + j, k);
  }
  CHECK(difference(output(sums, intuition), output(full, intuition)) == "");
  values_of(expected, "linear1.router.weight")(4, 1) += 0.5;
  CHECK(difference(output(sums, intuition), output(full, intuition)) != "");
}

TEST_CASE("a mix with a router that outgrows the model is refused with its size") {
  group g = two_linears();
  CHECK_THROWS_WITH_AS(peft::attach(std::vector{&g}, peft::mix_and_match{.r1 = 32, .r2 = 32}),
                       "mix: 32 x 32 pairs need routers of 10240 parameters; factorise them, or take fewer",
                       value_error);
  CHECK(g.attached() == nullptr);
  CHECK(peft::attach(std::vector{&g}, peft::mix_and_match{.r1 = 32, .r2 = 32, .factorised = true}).parameter_count() >
        0);
  CHECK(peft::attach(std::vector{&g}, peft::mix_and_match{.r1 = 32, .r2 = 31}).parameter_count() > 0);
}

TEST_CASE("DoRA leaves linears alone that are not targeted, and starts with the norms of the base") {
  group g = two_linears();
  const tensor<double> base = output(g, {});
  auto set = peft::attach(std::vector{&g}, peft::dora{.rank = 2, .alpha = 3}, 5, {"linear1"});
  REQUIRE(set.views().size() == 3);
  REQUIRE(set.parameters().size() == 3);
  const view<double> magnitude = values_of(set, "linear1.lora_magnitude_vector");
  REQUIRE(magnitude.size() == 3);
  const view<const double> w = g.parts()[1].w.values().values();
  for (index_t i = 0; i < 3; ++i) {
    double sum = 0;
    for (index_t j = 0; j < inputs; ++j) sum += w(i, j) * w(i, j);
    CHECK(magnitude[i] == doctest::Approx(std::sqrt(sum)).epsilon(1e-15));
  }
  randomise(set);
  const tensor<double> changed = output(g, {});
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < 7; ++j) CHECK((changed[i * 7 + j] == base[i * 7 + j]) == (j < 4));
}

TEST_CASE("DoRA with dropout: what is rescaled reads the dropped input, the base all of it") {
  reference device;
  std::vector<nn::projection<reference, double>> one(1);
  one[0].name = "identity";
  tensor<double> w(shape{inputs, inputs}, 0.0);
  for (index_t i = 0; i < inputs; ++i) w[i * inputs + i] = 1;
  one[0].w = nn::weight<reference, double>(backend::host_frozen<double>(testing::memory, w.clone()));
  group g(testing::memory, std::move(one));
  auto set = peft::attach(std::vector{&g}, peft::dora{.rank = 2, .dropout = 0.25});
  const view<double> m = values_of(set, "identity.lora_magnitude_vector");
  std::fill_n(m.data, m.size(), 3.0);  // n is 1, B zero: W x + 2 W d(x)
  tape<reference> t(device, recording::forward);
  const std::vector<std::int32_t> draw{1, 2};
  auto step = testing::layer::context(t, true, testing::layer::rows_of, &draw);
  const tensor<double> x = testing::random(shape{testing::layer::tokens, inputs}, 1, 1, 2);
  const tensor<double> y = t.read(g.forward(t, t.input<double>(x.matrix()), step));
  int dropped = 0;
  for (index_t i = 0; i < y.size(); ++i) {
    const bool here = y[i] == doctest::Approx(x[i]);
    dropped += here;
    if (!here) CHECK(y[i] == doctest::Approx(x[i] + 2 * x[i] / 0.75));
  }
  CHECK(dropped > 0);
  CHECK(dropped < int(y.size()));
}

TEST_CASE("options that contradict each other") {
  group g = two_linears();
  const auto refused = [&](const auto& method, const char* why) {
    CHECK_THROWS_WITH_AS(peft::attach(std::vector{&g}, method), why, value_error);
  };
  refused(peft::mor1e{.experts = 4, .intuition = false, .before = true},
          "mor1e: an intuition before the softmax needs router and intuition");
  refused(peft::mor1e{.experts = 4, .router_bias = true, .low_rank_router = true},
          "mor1e: a router on the products has no bias");
  refused(peft::mor1e{.experts = 4, .router = false, .intuition = false}, "mor1e: router and intuition are both off");
  refused(peft::mix_and_match{.r1 = 2, .r2 = 2, .k = 5}, "mor1e: the 5 largest weights of 4");
}
