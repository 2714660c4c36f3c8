// Which experts take a token, and with which weight.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "peft/layer.hpp"

using namespace mor1e;
using namespace mor1e::testing::layer;

namespace {

/// The weights of the experts of one router: logits [T, E] -> [T, E].
template <class M>
tensor<double> weights(const M& method, const tensor<double>& logits, bool training = true) {
  reference device;
  tape<reference> t(device, recording::forward);
  peft::adapter_context step(context(t, training));
  return t.read(method.weights(t, t.input<double>(logits.matrix()), step));
}

}  // namespace

TEST_CASE("top-k: all experts are the dense mixture, and of equal weights the first count") {
  const tensor<double> logits = testing::random(shape{tokens, 6}, 3, -2, 2);
  const peft::sira all{
      .experts = 6, .k = 6, .capacity = 0, .renorm = peft::renormalise::none, .gate_dropout = 0, .losses = {}};
  const tensor<double> dense = weights(all, logits);
  for (index_t i = 0; i < tokens; ++i) {
    double sum = 0;
    for (index_t j = 0; j < 6; ++j) sum += std::exp(logits[i * 6 + j]);
    for (index_t j = 0; j < 6; ++j)
      CHECK(dense[i * 6 + j] ==
            doctest::Approx(rows_of[std::size_t(i)] < 0 ? 0 : std::exp(logits[i * 6 + j]) / sum).epsilon(1e-13));
  }
  peft::sira sparse = all;
  sparse.k = 2;
  const tensor<double> two = weights(sparse, logits);
  for (index_t i = 0; i < tokens; ++i)
    for (index_t j = 0; j < 6; ++j) {
      int larger = 0;
      for (index_t l = 0; l < 6; ++l) larger += dense[i * 6 + l] > dense[i * 6 + j];
      CHECK(two[i * 6 + j] == (larger < 2 ? dense[i * 6 + j] : 0));
    }
  const tensor<double> tied = weights(sparse, tensor<double>(shape{tokens, 6}, 0.5));
  for (index_t i = 0; i < tokens; ++i)
    for (index_t j = 0; j < 6; ++j) CHECK((tied[i * 6 + j] > 0) == (j < 2 && rows_of[std::size_t(i)] >= 0));
  sparse.renorm = peft::renormalise::topk;
  const tensor<double> ones = weights(sparse, logits);
  for (index_t i = 0; i < tokens; ++i) {
    double sum = 0;
    for (index_t j = 0; j < 6; ++j) sum += ones[i * 6 + j];
    CHECK(sum == doctest::Approx(rows_of[std::size_t(i)] < 0 ? 0 : 1).epsilon(1e-14));
  }
  // As MoLoRA, in an adapter.
  group g = linears({4}), h = linears({4});
  const std::vector<std::int32_t> alive(tokens, 0);
  auto a = peft::attach(std::vector{&g}, peft::molora{.experts = 6, .rank = 2, .alpha = 4});
  auto b = peft::attach(std::vector{&h}, peft::sira{.experts = 6,
                                                    .rank = 2,
                                                    .k = 6,
                                                    .alpha = 4,
                                                    .capacity = 0,
                                                    .renorm = peft::renormalise::none,
                                                    .gate_dropout = 0,
                                                    .losses = {}});
  randomise(a), randomise(b);
  close(run(h, &b, true, alive).y, run(g, &a, true, alive).y);
  close(gradients(b, ".router.weight"), gradients(a, ".router.weight"));
}

TEST_CASE("capacity: a large one is none, dead rows take no place, and there is none at inference") {
  const tensor<double> logits = testing::random(shape{tokens, 4}, 7, -2, 2);
  peft::sira method{.experts = 4, .k = 2, .capacity = 0, .gate_dropout = 0, .losses = {}};
  for (const auto group : {peft::token_group::instance, peft::token_group::batch})
    for (const auto renorm : {peft::renormalise::none, peft::renormalise::topk, peft::renormalise::after_capacity}) {
      method.group = group, method.renorm = renorm, method.capacity = 0;
      const tensor<double> unlimited = weights(method, logits);
      method.capacity = 4;
      close(weights(method, logits), unlimited, 0);
      method.capacity = 0.5;
      CHECK(differ(weights(method, logits), unlimited));
      close(weights(method, logits, false), unlimited, 0);
      // C places, in the order of the rows: counted by hand.
      const tensor<double> limited = weights(method, logits);
      for (index_t e = 0; e < 4; ++e) {
        std::vector<int> used(3, 0), size(3, 0);
        const auto of = [&](index_t i) { return group == peft::token_group::batch ? 0 : rows_of[std::size_t(i)]; };
        for (index_t i = 0; i < tokens; ++i)
          if (rows_of[std::size_t(i)] >= 0) ++size[std::size_t(of(i))];
        for (index_t i = 0; i < tokens; ++i) {
          const bool wants = unlimited[i * 4 + e] > 0;
          const bool gets =
              wants && used[std::size_t(of(i))]++ < int(std::ceil(0.5 * 2 * size[std::size_t(of(i))] / 4.0));
          CHECK((limited[i * 4 + e] > 0) == gets);
        }
      }
    }
}

TEST_CASE("routing by instance is every instance alone") {
  const peft::sira method{.experts = 4,
                          .rank = 2,
                          .k = 2,
                          .capacity = 0.6,
                          .gate_dropout = 0,
                          .losses = {.gshard = 1, .balance = 0.5, .variation = 0.7, .z = 0.1, .entropy = 0.2}};
  group g = linears({4});
  auto set = peft::attach(std::vector{&g}, method);
  randomise(set);
  const tensor<double> x = testing::random(shape{tokens, inputs}, 1, -2, 2);
  const outcome together = run(g, &set);
  const auto alone = [&] {
    std::pair<double, bool> out{0, true};
    for (std::int32_t instance = 0; instance < 3; ++instance) {
      std::vector<std::int32_t> of;
      std::vector<double> values;
      for (index_t i = 0; i < tokens; ++i)
        if (rows_of[std::size_t(i)] == instance)
          of.push_back(0), values.insert(values.end(), x.data() + i * inputs, x.data() + (i + 1) * inputs);
      tensor<double> own(shape{index_t(of.size()), inputs});
      std::copy(values.begin(), values.end(), own.begin());
      const outcome single = run(g, &set, true, of, &own);
      out.first += single.loss[0];
      for (index_t i = 0, k = 0; i < tokens; ++i) {
        if (rows_of[std::size_t(i)] != instance) continue;
        for (index_t j = 0; j < 4; ++j) out.second &= std::abs(single.y[k * 4 + j] - together.y[i * 4 + j]) < 1e-12;
        ++k;
      }
    }
    return out;
  };
  const auto [loss, equal] = alone();
  CHECK(equal);
  CHECK(loss == doctest::Approx(together.loss[0]).epsilon(1e-12));  // so the cut into micro-batches does not matter

  peft::sira batch = method;
  batch.group = peft::token_group::batch;
  group h = linears({4});
  auto other = peft::attach(std::vector{&h}, batch);
  randomise(other);
  CHECK(differ(run(h, &other).y, together.y));
}

TEST_CASE("AdaMoLE: experts above the token's threshold, by hand") {
  const int experts = 4;
  const peft::adamole method{.experts = experts, .rank = 1, .alpha = 1, .losses = {}};
  const tensor<double> x = testing::random(shape{tokens, 2 * experts + 1}, 9, -2, 2);
  reference device;
  tape<reference> t(device, recording::forward);
  peft::adapter_context step(context(t, true));
  const tensor<double> g =
      t.read(method.gates(t, t.input<double>(x.matrix()), 1, std::span<const var<double>>(), step));
  int passed = 0;
  for (index_t i = 0; i < tokens; ++i) {
    const double* row = x.data() + i * (2 * experts + 1);
    double sum = 0, above = 0, w[experts];
    for (int e = 0; e < experts; ++e) sum += std::exp(row[experts + e]);
    for (int e = 0; e < experts; ++e) {
      w[e] = std::max(std::exp(row[experts + e]) / sum - 0.25 / (1 + std::exp(-row[2 * experts])), 0.0);
      above += w[e], passed += w[e] > 0;
    }
    for (int e = 0; e < experts; ++e)
      CHECK(g[i * experts + e] == doctest::Approx(row[e] * w[e] / above).epsilon(1e-12));
  }
  CHECK(passed > tokens);
  CHECK(passed < tokens * experts);
}

TEST_CASE("mixtures say what they cannot do") {
  group g = linears({4});
  const auto refused = [&](const peft::sira& method) {
    auto set = peft::attach(std::vector{&g}, method);
    run(g, &set);
  };
  CHECK_THROWS_WITH_AS(refused({.gate_dropout = 1}), "sira: gate_dropout 1 is no rate in [0, 1)", value_error);
  CHECK_THROWS_AS(refused({.gate_dropout = -0.1}), value_error);
  CHECK_THROWS_AS(refused({.gate_dropout = NAN}), value_error);
  CHECK_THROWS_WITH_AS(refused({.experts = 4, .k = 5}), "sira: 5 of 4 experts", value_error);
  CHECK_THROWS_AS(refused({.experts = 4, .k = 0}), value_error);
  CHECK_THROWS_AS(refused({.capacity = -1}), value_error);
  CHECK_THROWS_WITH_AS(refused({}), "sira: this step draws no random numbers for a dropout of 0.1", value_error);
  CHECK_NOTHROW(refused({.gate_dropout = 0}));
}
