// What is said of the routers of an adapter: means by task, whatever is packed with what.
#include "mor1e/eval/router_report.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "host_values.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"
#include "peft/adapter_values.hpp"

using namespace mor1e;

namespace {

constexpr index_t experts = 4;

struct fixture {
  cpu device{2};
  std::unique_ptr<models::language_model<cpu, float>> model = models::load<cpu, float>(device, models::toy_name);
  std::vector<std::vector<std::int32_t>> prompts;
  std::vector<std::string> tasks;
  tensor<float> intuition;

  fixture() {
    for (int i = 0; i < 6; ++i) {
      prompts.emplace_back();
      for (int j = 0; j < 5 + 3 * i; ++j)
        prompts.back().push_back(
            std::int32_t(uniform<double>(stream_key(1, std::uint64_t(i)), std::uint64_t(j)) * model->vocabulary()));
      tasks.push_back(i == 1 || i == 4 ? "few" : "many");
    }
    intuition = testing::random<float>(shape{6, experts}, 2, -0.2, 1);
  }

  template <class M>
  peft::adapter_set<cpu, float> attach(const M& method) {
    auto set = peft::attach(*model, method);
    testing::randomise(set, 0.02, 0.3);
    return set;
  }
  eval::router_report report(peft::adapter_set<cpu, float>& set, bool reads_intuition,
                             data::packing_options packing = {}) {
    return eval::report_routers<cpu, float>(device, *model, set, prompts, tasks,
                                            reads_intuition ? intuition.matrix() : view<float>{}, packing);
  }
};

void close(const tensor<double>& ours, const tensor<double>& expected, double tolerance = 1e-5) {
  REQUIRE(ours.extents() == expected.extents());
  CHECK(testing::violation(ours.data(), expected.data(), expected.size(), {.atol = tolerance}) == "");
}

void same(const eval::router_report& a, const eval::router_report& b) {
  REQUIRE(a.linears.size() == b.linears.size());
  for (std::size_t i = 0; i < a.linears.size(); ++i) {
    const auto &x = a.linears[i], &y = b.linears[i];
    CAPTURE(x.linear);
    CHECK(x.linear == y.linear);
    close(x.weights, y.weights);
    close(x.shares, y.shares);
    close(x.first, y.first);
    for (std::size_t task = 0; task < x.entropy.size(); ++task)
      CHECK(x.entropy[task] == doctest::Approx(y.entropy[task]).epsilon(1e-4));
  }
}

}  // namespace

TEST_CASE("neither padding nor neighbours are counted: packed and rounded up is each prompt alone") {
  fixture f;
  const auto check = [&](const auto& method, bool reads_intuition) {
    auto set = f.attach(method);
    const auto packed = f.report(set, reads_intuition, {.row_bucket = 128}),
               alone = f.report(set, reads_intuition, {.tokens = 1, .row_bucket = 1, .segment_bucket = 1});
    CHECK(packed.tasks == std::vector<std::string>{"many", "few"});
    CHECK(packed.items == std::vector<index_t>{4, 2});
    CHECK(packed.tokens == std::vector<index_t>{5 + 11 + 14 + 20, 8 + 17});
    CHECK(packed.linears.size() == 14);
    same(packed, alone);
    for (const auto& l : packed.linears)
      for (index_t task = 0; task < 2; ++task) {
        const auto sum = [&](const tensor<double>& x) {
          return std::accumulate(x.data() + task * experts, x.data() + (task + 1) * experts, 0.0);
        };
        CHECK(sum(l.shares) == doctest::Approx(1).epsilon(1e-6));
        CHECK(sum(l.first) == doctest::Approx(1).epsilon(1e-6));
        CHECK(l.entropy[std::size_t(task)] > 0);
        CHECK(l.entropy[std::size_t(task)] <= std::log(double(experts)));
      }
  };
  check(peft::mor1e{.experts = experts}, true);
  check(peft::molora{.experts = experts, .rank = 2}, false);
}

TEST_CASE("the report of permuted experts is the permuted report") {
  fixture f;
  const index_t order[experts] = {2, 0, 3, 1};
  auto set = f.attach(peft::mor1e{.experts = experts});
  const auto before = f.report(set, true);
  for (auto& v : set.views()) {
    const bool columns = v.name.ends_with(".lora_B.weight");
    if (!columns && !v.name.ends_with(".lora_A.weight") && !v.name.ends_with(".router.weight")) continue;
    const tensor<float> old = v.read();
    for (index_t i = 0; i < v.extents.rows(); ++i)
      for (index_t j = 0; j < v.extents.cols(); ++j)
        testing::in_place(v)(i, j) = old[(columns ? i : order[i]) * v.extents.cols() + (columns ? order[j] : j)];
  }
  const tensor<float> original = f.intuition.clone();
  for (index_t i = 0; i < 6; ++i)
    for (index_t e = 0; e < experts; ++e) f.intuition[i * experts + e] = original[i * experts + order[e]];
  const auto after = f.report(set, true);
  eval::router_report expected = f.report(set, true);
  bool uneven = false;
  for (std::size_t l = 0; l < before.linears.size(); ++l) {
    const auto& from = before.linears[l];
    auto& to = expected.linears[l];
    for (index_t task = 0; task < 2; ++task)
      for (index_t e = 0; e < experts; ++e) {
        to.weights[task * experts + e] = from.weights[task * experts + order[e]];
        to.shares[task * experts + e] = from.shares[task * experts + order[e]];
        to.first[task * experts + e] = from.first[task * experts + order[e]];
        uneven |= from.first[task * experts + e] != from.first[task * experts + order[e]];
      }
    for (index_t e = 0; e < experts; ++e)
      CHECK(after.linears[l].norms[std::size_t(e)] == doctest::Approx(from.norms[std::size_t(order[e])]).epsilon(1e-6));
    CHECK(after.linears[l].gates == from.gates);
  }
  CHECK(uneven);
  same(after, expected);
}

TEST_CASE("sums of weights by hand: means by task, loads, effective experts, differences") {
  fixture f;
  auto set = f.attach(peft::mor1e{.experts = experts, .router = false});
  const auto report = f.report(set, true);
  // Without a router every token of an item has the item's weights: c (1 - t) o I.
  for (const auto& l : report.linears) {
    const double scale = 4 * (1 - l.gates.at(0).second) * l.gates.at(1).second;
    tensor<double> weights(shape{2, experts}, 0.0), shares(shape{2, experts}, 0.0), first(shape{2, experts}, 0.0);
    std::vector<double> entropy(2, 0.0), load(experts, 0.0);
    for (std::size_t i = 0; i < 6; ++i) {
      const std::size_t task = f.tasks[i] == "few";
      const double tokens = double(f.prompts[i].size()) / double(report.tokens[task]);
      double sum = 0;
      index_t largest = 0;
      for (index_t e = 0; e < experts; ++e) {
        const float value = f.intuition[index_t(i) * experts + e];
        sum += std::abs(value);
        if (std::abs(value) > std::abs(f.intuition[index_t(i) * experts + largest])) largest = e;
      }
      first[index_t(task) * experts + largest] += tokens;
      for (index_t e = 0; e < experts; ++e) {
        const double value = f.intuition[index_t(i) * experts + e], p = std::abs(value) / sum;
        weights[index_t(task) * experts + e] += tokens * scale * value;
        shares[index_t(task) * experts + e] += tokens * p;
        entropy[task] -= tokens * p * std::log(p);
        load[std::size_t(e)] += p * double(f.prompts[i].size()) / 75;
      }
    }
    close(l.weights, weights);
    close(l.shares, shares);
    close(l.first, first);
    for (std::size_t task = 0; task < 2; ++task) CHECK(l.entropy[task] == doctest::Approx(entropy[task]).epsilon(1e-5));
    double spread = 0, apart = 0;
    for (index_t e = 0; e < experts; ++e) {
      spread -= load[std::size_t(e)] * std::log(load[std::size_t(e)]);
      apart += std::abs(shares[e] - shares[experts + e]) / 4;
      CHECK(report.over_tasks(l.shares)[std::size_t(e)] == doctest::Approx(load[std::size_t(e)]).epsilon(1e-5));
    }
    CHECK(report.effective_experts(l) == doctest::Approx(std::exp(spread)).epsilon(1e-5));
    CHECK(report.difference(l) == doctest::Approx(apart).epsilon(1e-4));
  }
  for (index_t e = 0; e < experts; ++e)
    CHECK(report.intuition[experts + e] ==
          doctest::Approx((f.intuition[experts + e] + f.intuition[4 * experts + e]) / 2).epsilon(1e-6));
}

TEST_CASE("similarity of rows by cosine, with and without what they have in common") {
  tensor<double> x(shape{3, 2}, 0.0);
  x[0] = 1, x[2] = 3, x[3] = 3, x[5] = 2;  // (1, 0), (3, 3), (0, 2)
  const tensor<double> plain = eval::cosine_similarity(std::as_const(x).matrix());
  const double half = std::sqrt(0.5);
  const double expected[] = {1, half, 0, half, 1, half, 0, half, 1};
  for (index_t i = 0; i < 9; ++i) CHECK(plain[i] == doctest::Approx(expected[i]));
  for (index_t i = 0; i < 6; ++i) x[i] += 100;
  const tensor<double> centred = eval::cosine_similarity(std::as_const(x).matrix(), true);
  for (index_t i = 0; i < 6; ++i) x[i] -= 200;
  const tensor<double> moved = eval::cosine_similarity(std::as_const(x).matrix(), true);
  for (index_t i = 0; i < 9; ++i) CHECK(centred[i] == doctest::Approx(moved[i]));
  CHECK(centred[1] < 0);
  const tensor<double> nothing = eval::cosine_similarity(tensor<double>(shape{2, 2}, 0.0));
  CHECK(nothing[0] == 0);
}

TEST_CASE("names of blocks and projections") {
  CHECK(eval::block_of("model.layers.17.mlp.up_proj") == "17");
  CHECK(eval::block_of("head") == "head");
  CHECK(eval::projection_of("model.layers.17.mlp.up_proj") == "up_proj");
}

TEST_CASE("JSON and table hold every linear and block, in order") {
  fixture f;
  auto set = f.attach(peft::mor1e{.experts = experts});
  const auto report = f.report(set, true);
  const nlohmann::json written = eval::to_json(report);
  CHECK(written["tasks"] == nlohmann::json{"many", "few"});
  REQUIRE(written["linears"].size() == 14);
  CHECK(written["linears"][0]["linear"] == "model.layers.0.self_attn.q_proj");
  CHECK(written["linears"][13]["by_task"]["weights"][1].size() == experts);
  CHECK(written["linears"][13]["update_norms"].size() == experts);
  CHECK(written["similarity"]["weights"][0][0].get<double>() == doctest::Approx(1));
  CHECK(written["similarity"]["intuition"].size() == 2);
  const auto quartiles = written["gates"]["a"].get<std::vector<double>>();
  REQUIRE(quartiles.size() == 5);
  CHECK(std::is_sorted(quartiles.begin(), quartiles.end()));
  for (const auto& l : report.linears) {
    CHECK(l.gates.at(0).second >= quartiles.front());
    CHECK(l.gates.at(0).second <= quartiles.back());
  }
  const std::string lines = eval::table(report);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 4);  // a title, a head and two blocks
  CHECK(lines.find("gate b") != std::string::npos);

  set.detach();
  auto dense = f.attach(peft::molora{.experts = experts, .rank = 2});
  const auto without = eval::to_json(f.report(dense, false));
  CHECK(without.at("gates").empty());
  CHECK_FALSE(without["similarity"].contains("intuition"));
}

TEST_CASE("what cannot be reported is refused") {
  fixture f;
  auto lora = f.attach(peft::lora{.rank = 2});
  CHECK_THROWS_WITH_AS(f.report(lora, false), "routers: this adapter has no experts to weigh", value_error);
  lora.detach();
  auto set = f.attach(peft::molora{.experts = experts, .rank = 2});
  f.tasks.pop_back();
  CHECK_THROWS_WITH_AS(f.report(set, false), "routers: 6 prompts, of 5 a task is given", value_error);
  f.prompts.clear(), f.tasks.clear();
  CHECK_THROWS_AS(f.report(set, false), value_error);
}
