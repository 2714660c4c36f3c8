// What a step says of its routers.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/eval/router_report.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/testing/random.hpp"
#include "mor1e/train/telemetry.hpp"
#include "peft/adapter_values.hpp"

using namespace mor1e;

namespace {

constexpr int sequences = 5;
constexpr index_t experts = 4;

struct fixture {
  cpu device{2};
  std::unique_ptr<models::language_model<cpu, float>> model = models::load<cpu, float>(device, models::toy_name);
  std::vector<data::encoded_example> examples;
  tensor<float> intuition = testing::random<float>(shape{sequences, experts}, 2, -0.2, 1);

  fixture() {
    for (int i = 0; i < sequences; ++i) {
      data::encoded_example e{std::to_string(i), {}, 3, i};
      for (int j = 0; j < 9 + 4 * i; ++j)
        e.ids.push_back(
            std::int32_t(uniform<double>(stream_key(1, std::uint64_t(i)), std::uint64_t(j)) * model->vocabulary()));
      examples.push_back(std::move(e));
    }
  }
  /// Several micro-batches, all with dead rows.
  std::vector<data::packed_batch> batches() const { return data::pack(examples, {.tokens = 40, .row_bucket = 64}); }

  template <class M>
  peft::adapter_set<cpu, float> attach(const M& method) {
    auto set = peft::attach(*model, method);
    testing::randomise(set, 0.02, 0.3);
    return set;
  }
  train::step_report step(peft::adapter_set<cpu, float>& set, double clip, train::program_options program) {
    train::trainer trainer(device, *model, set, {.adam = {.learning_rate = 0}, .clip = clip, .program = program});
    return trainer.step(batches(), intuition.matrix(), 1);
  }
};

}  // namespace

TEST_CASE("a step reports its routers as an evaluation of the same tokens does") {
  fixture f;
  std::vector<std::vector<std::int32_t>> sequences_of_tokens;
  for (const auto& e : f.examples) sequences_of_tokens.push_back(e.ids);
  const std::vector<std::string> one_task(sequences, "all");
  const auto check = [&](const auto& method, index_t clusters, bool recompute) {
    auto set = f.attach(method);
    REQUIRE(f.batches().size() > 1);
    const auto logged = f.step(set, 0, {.recompute = recompute, .statistics = true, .clusters = clusters}).routers;
    const auto report = eval::report_routers<cpu, float>(f.device, *f.model, set, sequences_of_tokens, one_task,
                                                         clusters ? f.intuition.matrix() : view<float>{});
    REQUIRE(logged.size() == report.linears.size());
    for (std::size_t l = 0; l < logged.size(); ++l) {
      CHECK(logged[l].linear == report.linears[l].linear);
      CHECK(logged[l].entropy == doctest::Approx(report.linears[l].entropy[0]).epsilon(1e-4));
      REQUIRE(index_t(logged[l].load.size()) == report.linears[l].experts);
      for (index_t e = 0; e < report.linears[l].experts; ++e)
        CHECK(logged[l].load[std::size_t(e)] == doctest::Approx(report.linears[l].shares[e]).epsilon(1e-4));
    }
  };
  for (const bool recompute : {false, true}) {
    check(peft::mor1e{.experts = experts}, experts, recompute);
    check(peft::mor1e{.experts = experts, .router = false}, experts, recompute);
    check(peft::mix_and_match{.r1 = 2, .r2 = 2}, experts, recompute);
    check(peft::adamole{.experts = 3, .rank = 2}, 0, recompute);
    check(peft::hydralora{.experts = 3, .rank = 2}, 0, recompute);
  }
}

TEST_CASE("who looks changes nothing: losses and gradients have the same bits with statistics") {
  fixture f;
  const auto check = [&](const auto& method, index_t clusters) {
    auto set = f.attach(method);
    std::vector<std::vector<float>> gradients[2];
    double loss[2];
    for (const bool statistics : {false, true}) {
      const auto report = f.step(set, 0, {.statistics = statistics, .dropout = true, .clusters = clusters});
      CHECK(report.routers.empty() == !statistics);
      loss[statistics] = report.loss;
      for (auto* p : set.parameters()) testing::append(gradients[statistics].emplace_back(), p->read_gradient());
    }
    CHECK(loss[0] == loss[1]);
    CHECK(gradients[0] == gradients[1]);
  };
  check(peft::mor1e{.experts = experts}, experts);
  check(peft::sira{.experts = experts, .rank = 2, .k = 2}, 0);  // its losses are counted once, its gates dropped once
}

TEST_CASE("auxiliary losses are told by group, and add up to what the step reports") {
  fixture f;
  const peft::router_losses losses{.balance = 0.1, .entropy = 0.2};
  const auto check = [&](const auto& method, index_t clusters) {
    auto set = f.attach(method);
    const auto report = f.step(set, 0, {.statistics = true, .clusters = clusters});
    REQUIRE(report.auxiliary_of.size() == 8);  // four groups of two blocks
    double sum = 0;
    for (const auto& [group, loss] : report.auxiliary_of) sum += loss;
    CHECK(report.auxiliary > 0);
    CHECK(sum == doctest::Approx(report.auxiliary).epsilon(1e-5));
    CHECK(report.auxiliary_of[0].first == "model.layers.0.self_attn.q_proj");
    const auto told = train::summarise_auxiliary(report.auxiliary_of);
    CHECK(told.at("down_proj").size() == 2);
    CHECK(f.step(set, 0, {.clusters = clusters}).auxiliary_of.empty());
  };
  check(peft::molora{.experts = 3, .rank = 2, .losses = losses}, 0);
  check(peft::mor1e{.experts = experts, .losses = losses}, experts);
}

TEST_CASE("gradients of the gates are those before clipping") {
  fixture f;
  auto set = f.attach(peft::mor1e{.experts = experts});
  const double clip = 1e-3;
  const auto report = f.step(set, clip, {.statistics = true, .clusters = experts});
  REQUIRE(report.gradient_norm > clip);
  std::vector<double> a, b;
  for (const auto* p : set.parameters())
    for (auto [ending, to] : {std::pair(".gate_a", &a), std::pair(".gate_b", &b)})
      if (p->name.ends_with(ending)) testing::append(*to, p->read_gradient());
  REQUIRE(report.gates.size() == 2);
  for (const auto& [gates, clipped] : {std::pair(report.gates[0], a), std::pair(report.gates[1], b)}) {
    REQUIRE(gates.gradients.size() == 14);
    REQUIRE(gates.values.size() == 14);
    for (std::size_t i = 0; i < 14; ++i) {
      CHECK(gates.gradients[i] == doctest::Approx(clipped[i] * report.gradient_norm / clip).epsilon(1e-4));
      CHECK(gates.gradients[i] != 0);
    }
  }
  CHECK(f.step(set, clip, {}).gates.empty());
}

TEST_CASE("the log has a number a layer for each projection, to four digits") {
  const std::vector<train::linear_load> routers{{"model.layers.0.self_attn.q_proj", 0.123456, {0.5, 0.5}},
                                                {"model.layers.0.mlp.up_proj", 0, {1, 0}},
                                                {"model.layers.1.self_attn.q_proj", 123.456, {0.9, 0.1}}};
  const auto line = train::summarise_routers(routers);
  CHECK(line["entropy"] == nlohmann::json{{"q_proj", {0.1235, 123.5}}, {"up_proj", {0.0}}});
  CHECK(line["largest_load"] == nlohmann::json{{"q_proj", {0.5, 0.9}}, {"up_proj", {1.0}}});
  CHECK(line["effective_experts"]["q_proj"][0] == 2.0);
  CHECK(line["effective_experts"]["up_proj"][0] == 1.0);
  CHECK(line["effective_experts"]["q_proj"][1].get<double>() ==
        doctest::Approx(std::exp(-0.9 * std::log(0.9) - 0.1 * std::log(0.1))).epsilon(1e-3));
}
