// What must hold of mixtures of LoRA experts whatever their values.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/peft/accounting.hpp"
#include "peft/layer.hpp"

using namespace mor1e;
using namespace mor1e::testing::layer;

TEST_CASE("one expert of rank r is LoRA of rank r, forward and backward") {
  const int r = 3;
  group g = linears({4}), h = linears({4});
  auto lora = peft::attach(std::vector{&g}, peft::lora{.rank = r, .alpha = 5});
  randomise(lora);
  const outcome expected = run(g, &lora);
  const auto check = [&](const auto& method) {
    auto set = peft::attach(std::vector{&h}, method);
    randomise(set);  // the same names, the same values
    const outcome ours = run(h, &set);
    close(ours.y, expected.y);
    close(ours.dx, expected.dx);
    for (const char* name : {".lora_A.weight", ".lora_B.weight"}) close(gradients(set, name), gradients(lora, name));
    for (const double d : {gradients(set, ".router.weight")[0], gradients(set, ".router.weight")[inputs - 1]})
      CHECK(std::abs(d) < 1e-12);
  };
  check(peft::molora{.experts = 1, .rank = r, .alpha = 5});
  check(peft::molora{.experts = 1, .rank = r, .alpha = 5, .order = peft::slot_order::tiled});
  check(peft::loramoe{.experts = 1, .rank = r, .alpha = 5, .dropout = 0});
  check(peft::hydralora{.experts = 1, .rank = r, .alpha = 5});
  check(peft::adamole{.experts = 1, .rank = r, .alpha = 5, .losses = {}});
  // A dead row is no token of a sparse mixture: all are alive here.
  const std::vector<std::int32_t> alive(tokens, 0);
  const outcome all = run(g, &lora, true, alive);
  auto set = peft::attach(
      std::vector{&h},
      peft::sira{.experts = 1, .rank = r, .k = 1, .alpha = 5, .capacity = 1, .gate_dropout = 0, .losses = {}});
  randomise(set);
  const outcome ours = run(h, &set, true, alive);
  close(ours.y, all.y);
  close(ours.dx, all.dx);
  close(gradients(set, ".lora_A.weight"), gradients(lora, ".lora_A.weight"));
}

TEST_CASE("equal weights: E experts of rank r are LoRA of rank E r") {
  group g = linears({4}), h = linears({4});
  auto lora = peft::attach(std::vector{&g}, peft::lora{.rank = 8, .alpha = 16});
  randomise(lora);
  for (const auto order : {peft::slot_order::block, peft::slot_order::tiled}) {
    auto set = peft::attach(std::vector{&h}, peft::molora{.experts = 4, .rank = 2, .alpha = 16, .order = order});
    randomise(set);
    const outcome uneven = run(h, &set);
    view<double> router = values(set, ".router.weight");
    std::fill_n(router.data, router.size(), 0.0);
    const outcome ours = run(h, &set), expected = run(g, &lora);
    close(ours.y, expected.y);
    CHECK(differ(uneven.y, expected.y));
  }
}

TEST_CASE("a group of linears is as many linears alone") {
  each_mixture([](const auto& method) {
    CAPTURE(std::string(method.label));
    const std::vector<index_t> outputs{4, 3, 6};
    group all = linears(outputs);
    auto set = peft::attach(std::vector{&all}, method);
    randomise(set);
    const outcome together = run(all, &set);
    CHECK(together.loss[0] != 0);
    double loss = 0;
    index_t column = 0;
    for (std::size_t p = 0; p < outputs.size(); ++p) {
      group one = linears({outputs[p]}, false, p);
      auto alone = peft::attach(std::vector{&one}, method);
      randomise(alone);
      const outcome single = run(one, &alone);
      loss += single.loss[0];
      for (index_t i = 0; i < tokens; ++i)
        for (index_t j = 0; j < outputs[p]; ++j)
          CHECK(together.y[i * 13 + column + j] == doctest::Approx(single.y[i * outputs[p] + j]).epsilon(1e-12));
      column += outputs[p];
    }
    CHECK(together.loss[0] == doctest::Approx(loss).epsilon(1e-12));
  });
}

TEST_CASE("permuting the experts permutes their weights and nothing else") {
  const std::vector<index_t> order{3, 0, 2, 1};
  each_mixture([&](const auto& method) {
    CAPTURE(std::string(method.label));
    group g = linears({4}), h = linears({4});
    auto from = peft::attach(std::vector{&g}, method), to = peft::attach(std::vector{&h}, method);
    randomise(from), randomise(to);
    backend::expert_slots_shape s{method.experts, method.rank};
    if constexpr (requires { method.order; }) s.order = method.order;
    const bool shared = peft::down_rows(method) != method.update_rank();
    const view<double> a = values(from, ".lora_A.weight"), b = values(from, ".lora_B.weight"),
                       r = values(from, ".router.weight");
    const view<double> to_a = values(to, ".lora_A.weight"), to_b = values(to, ".lora_B.weight"),
                       to_r = values(to, ".router.weight");
    std::vector<int> met(std::size_t(method.experts), 0);
    for (int j = 0; j < method.update_rank(); ++j) {
      const int expert = s.expert(j), q = met[std::size_t(expert)]++;  // the q-th slot of its expert
      const index_t source = s.order == peft::slot_order::tiled ? q * method.experts + order[std::size_t(expert)]
                                                                : order[std::size_t(expert)] * method.rank + q;
      for (index_t i = 0; i < inputs && !shared; ++i) to_a(j, i) = a(source, i);
      for (index_t i = 0; i < b.rows; ++i) to_b(i, j) = b(i, source);
    }
    for (index_t e = 0; e < method.experts; ++e)
      for (index_t i = 0; i < inputs; ++i) to_r(e, i) = r(order[std::size_t(e)], i);
    const outcome moved = run(h, &to), still = run(g, &from);
    close(moved.y, still.y);
    close(moved.dx, still.dx);
    close(moved.loss, still.loss);
    copy(r, to_r);
    CHECK(differ(run(h, &to).y, still.y));
  });
}

TEST_CASE("HydraLoRA is MoLoRA whose experts have one A") {
  group g = linears({4}), h = linears({4});
  auto hydra = peft::attach(std::vector{&g}, peft::hydralora{.experts = 4, .rank = 3, .alpha = 6});
  auto molora = peft::attach(std::vector{&h}, peft::molora{.experts = 4, .rank = 3, .alpha = 6});
  randomise(hydra), randomise(molora);
  const view<double> a = values(hydra, ".lora_A.weight"), many = values(molora, ".lora_A.weight");
  CHECK(a.rows == 3);
  for (index_t i = 0; i < many.size(); ++i) many[i] = a[i % a.size()];
  const outcome ours = run(g, &hydra), expected = run(h, &molora);
  close(ours.y, expected.y);
  close(ours.dx, expected.dx);
  close(gradients(hydra, ".lora_B.weight"), gradients(molora, ".lora_B.weight"));
  const view<double> d = gradients(hydra, ".lora_A.weight"), each = gradients(molora, ".lora_A.weight");
  for (index_t i = 0; i < d.size(); ++i) {
    double sum = 0;
    for (int e = 0; e < 4; ++e) sum += each[e * d.size() + i];
    CHECK(d[i] == doctest::Approx(sum).epsilon(1e-12));
  }
}

TEST_CASE("what LoRAMoE's experts miss its router reads") {
  peft::loramoe method{.experts = 3, .rank = 2, .dropout = 0};
  group g = linears({4, 3});
  const std::vector<std::int32_t> draw{5, 1};
  const tensor<double> x = testing::random(shape{tokens, inputs}, 1, -2, 2);
  const auto of_one_product = [&](double dropout) {
    method.dropout = dropout;
    auto set = peft::attach(std::vector{&g}, method);
    randomise(set);
    // Products of the one input that the router does not read, and weights of those that are not.
    for (auto& v : set.views())
      for (index_t i = 0; i < v.extents.rows(); ++i)
        for (index_t j = 0; j < v.extents.cols() && v.extents.cols() == inputs; ++j)
          if ((j == 2) == v.name.ends_with("router.weight")) testing::in_place(v)(i, j) = 0;
    reference device;
    tape<reference> t(device, recording::forward);
    auto step = context(t, true, rows_of, &draw);
    const var<double> in = t.input<double>(x.matrix());
    const tensor<double> with = t.read(g.forward(t, in, step)), without = t.read(g.base(t, in));
    std::vector<double> update;
    for (index_t i = 0; i < with.size(); ++i) update.push_back(with[i] - without[i]);
    return update;
  };
  const auto whole = of_one_product(0), part = of_one_product(0.5);
  int missed = 0;
  for (std::size_t i = 0; i < whole.size(); i += 7) {
    const bool kept = std::abs(part[i]) > 1e-9;
    missed += !kept;
    for (std::size_t j = i; j < i + 7; ++j) CHECK(part[j] == doctest::Approx(kept ? 2 * whole[j] : 0).epsilon(1e-9));
  }
  CHECK(missed > 0);
  CHECK(missed < tokens);
}

TEST_CASE("how the matrices start") {
  const auto spread = [](view<double> v) {
    double squares = 0, largest = 0;
    for (index_t i = 0; i < v.size(); ++i) squares += v[i] * v[i], largest = std::max(largest, std::abs(v[i]));
    return std::pair(std::sqrt(squares / double(v.size())), largest);
  };
  group g = linears({4});
  const auto check = [&](const auto& method, peft::start a, peft::start r) {
    CAPTURE(std::string(method.label));
    auto set = peft::attach(std::vector{&g}, method, 3);
    const auto expect = [&](const char* name, peft::start how) {
      const auto [deviation, largest] = spread(values(set, name));
      const double bound = 1 / std::sqrt(double(inputs));
      if (how == peft::start::zero) CHECK(largest == 0);
      if (how == peft::start::uniform) CHECK((largest < bound && deviation > 0.4 * bound && deviation < 0.75 * bound));
      if (how == peft::start::normal) CHECK((deviation > 0.014 && deviation < 0.026 && largest < 0.1));
    };
    expect(".lora_A.weight", a);
    expect(".router.weight", r);
    expect(".lora_B.weight", peft::start::zero);
    group h = linears({4});
    auto other = peft::attach(std::vector{&h}, method, 4);
    CHECK(values(set, ".lora_A.weight")[0] != values(other, ".lora_A.weight")[0]);
    close(run(g, &set, false).y, run(linears({4}), nullptr).y, 0);  // the base alone
  };
  using peft::start;
  check(peft::molora{}, start::normal, start::normal);
  check(peft::molora::release(), start::uniform, start::zero);
  check(peft::sira{}, start::uniform, start::normal);
  check(peft::sira::release(), start::uniform, start::zero);
  check(peft::loramoe{}, start::uniform, start::uniform);
  check(peft::hydralora{}, start::uniform, start::uniform);
  check(peft::adamole{}, start::uniform, start::uniform);
}

TEST_CASE("what a mixture costs is what it trains") {
  each_mixture([](const auto& method) {
    CAPTURE(std::string(method.label));
    group g = linears({9});
    auto set = peft::attach(std::vector{&g}, method);
    CHECK(peft::cost_on(method, inputs, 9).parameters == set.parameter_count());
  });
  const nlohmann::json models = io::read_json(testing::golden_folder() / "account.json").at("models");
  CHECK(models.size() > 5);
  for (const auto& model : models) {
    const auto count = [&](const auto& method) {
      std::int64_t sum = 0;
      for (const auto& l : model.at("linears_per_layer"))
        sum += peft::cost_on(method, l.at("n_in"), l.at("n_out")).parameters;
      return model.at("layers").get<std::int64_t>() * sum;
    };
    const nlohmann::json& expected = model.at("adapter_parameters");
    CHECK(count(peft::molora::release()) == expected.at("molora_8x4").get<std::int64_t>());
    CHECK(count(peft::molora{}) == expected.at("molora_10x4").get<std::int64_t>());
    CHECK(count(peft::sira{}) == expected.at("sira_16x4").get<std::int64_t>());
  }
  CHECK(peft::cost_on(peft::hydralora{}, 100, 10).flops() == 2 * (4 * 100 + 16 * 10));
}
