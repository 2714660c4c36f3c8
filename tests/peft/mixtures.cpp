// What must hold of mixtures of LoRA experts whatever their values.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/reference.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/nn/auxiliary_loss.hpp"
#include "mor1e/peft/accounting.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

using group = nn::projection_group<reference, double>;
using adapters = peft::adapter_set<reference, double>;

constexpr index_t inputs = 5;
// Rows of three instances, not in one piece, and two dead ones.
const std::vector<std::int32_t> rows_of{0, 0, 2, -1, 1, 1, 2, 0, -1, 2, 2, 1};
constexpr index_t tokens = 12, live = 10;
const double token_scale = 1.0 / live;

group linears(std::vector<index_t> outputs) {
  std::vector<nn::projection<reference, double>> parts(outputs.size());
  for (std::size_t p = 0; p < parts.size(); ++p) {
    parts[p].name = text("block.linear", p);
    parts[p].w = nn::weight<reference, double>(
        backend::host_frozen<double>(testing::random(shape{outputs[p], inputs}, 100 + outputs[p])));
  }
  return group(std::move(parts));
}

/// Values that depend on the name of the view alone.
void randomise(adapters& set) {
  for (auto& v : set.views()) {
    std::uint64_t key = 200;
    for (const char c : v.name) key = stream_key(key, c);
    const tensor<double> values = testing::random(shape{v.values.rows, v.values.cols}, key);
    std::copy(values.begin(), values.end(), v.values.data);
  }
}
view<double> values(adapters& set, const std::string& ending) {
  for (auto& v : set.views())
    if (v.name.ends_with(ending)) return v.values;
  throw value_error("no parameter " + ending);
}
view<double> gradients(adapters& set, const std::string& ending) {
  for (auto& v : set.views())
    if (v.name.ends_with(ending))
      return {v.of->gradient.data() + (v.values.data - v.of->value.data()), v.values.rows, v.values.cols};
  throw value_error("no parameter " + ending);
}
void copy(view<double> from, view<double> to) {
  REQUIRE(from.size() == to.size());
  std::copy_n(from.data, from.size(), to.data);
}

nn::step_context<reference, double> context(tape<reference>& t, bool training,
                                            const std::vector<std::int32_t>& of = rows_of) {
  nn::step_context<reference, double> step;
  step.instances = t.input<std::int32_t>(view<const std::int32_t>(of.data(), index_t(of.size()), 1));
  step.token_scale = t.input<double>(view<const double>(&token_scale, 1, 1));
  step.training = training;
  return step;
}

struct outcome {
  tensor<double> y, dx, loss;
};

/// y, and the gradients of <y, dy> plus the auxiliary losses, which go to the parameters.
outcome run(const group& g, adapters* set, bool training = true, const std::vector<std::int32_t>& of = rows_of,
            const tensor<double>* given = nullptr) {
  if (set)
    for (auto* p : set->parameters()) p->clear_gradient();
  reference device;
  tape<reference> t(device);
  auto step = context(t, training, of);
  const tensor<double> own = testing::random(shape{index_t(of.size()), inputs}, 1, -2, 2);
  const var<double> x = t.input<double>((given ? *given : own).matrix(), true);
  const var<double> y = g.forward(t, x, step);
  const tensor<double> dy = testing::random(shape{y.rows, y.cols}, 300);
  const var<double> root = nn::total_loss(t, ops::sum(t, ops::multiply(t, y, t.input<double>(dy.matrix()))), step);
  t.keep(y);
  t.backward(root);
  outcome out{t.read(y), t.gradient(x), tensor<double>(shape{1, 1}, 0.0)};
  for (const var<double> loss : step.auxiliary_losses) out.loss[0] += t.read(loss)[0];
  return out;
}

/// The weights of the experts of one router: logits [T, E] -> [T, E].
template <class M>
tensor<double> weights(const M& method, const tensor<double>& logits, bool training = true) {
  reference device;
  tape<reference> t(device, recording::forward);
  auto step = context(t, training);
  return t.read(method.weights(t, t.input<double>(logits.matrix()), step));
}

void close(const tensor<double>& ours, const tensor<double>& expected, double tolerance = 1e-12) {
  REQUIRE(ours.size() == expected.size());
  CHECK(testing::violation(ours.data(), expected.data(), expected.size(), {.atol = tolerance}) == "");
}
void close(view<double> ours, view<double> expected, double tolerance = 1e-12) {
  REQUIRE(ours.size() == expected.size());
  CHECK(testing::violation(ours.data, expected.data, expected.size(), {.atol = tolerance}) == "");
}
bool differ(const tensor<double>& a, const tensor<double>& b) {
  return testing::violation(a.data(), b.data(), a.size(), {.atol = 1e-3}) != "";
}

/// f(method) for each of the family, small, with losses that are on.
template <class F>
void each_mixture(F f) {
  const peft::router_losses losses{.gshard = 0.3, .balance = 0.2, .variation = 0.4, .z = 0.05, .entropy = 0.1};
  f(peft::molora{.experts = 4, .rank = 2, .losses = losses});
  f(peft::molora{.experts = 4, .rank = 2, .order = peft::slot_order::tiled, .losses = losses});
  f(peft::sira{.experts = 4, .rank = 2, .k = 2, .capacity = 0.75, .losses = losses});
  f(peft::sira{.experts = 4,
               .rank = 2,
               .k = 2,
               .capacity = 0.75,
               .renorm = peft::renormalise::after_capacity,
               .group = peft::token_group::batch,
               .losses = losses});
  f(peft::loramoe{.experts = 4, .rank = 2, .losses = losses});
  f(peft::hydralora{.experts = 4, .rank = 3, .losses = losses});
  f(peft::adamole{.experts = 4, .rank = 2, .losses = losses});
}

}  // namespace

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
  check(peft::loramoe{.experts = 1, .rank = r, .alpha = 5});
  check(peft::hydralora{.experts = 1, .rank = r, .alpha = 5});
  check(peft::adamole{.experts = 1, .rank = r, .alpha = 5, .losses = {}});
  // A dead row is no token of a sparse mixture: all are alive here.
  const std::vector<std::int32_t> alive(tokens, 0);
  const outcome all = run(g, &lora, true, alive);
  auto set = peft::attach(std::vector{&h},
                          peft::sira{.experts = 1, .rank = r, .k = 1, .alpha = 5, .capacity = 1, .losses = {}});
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
    CAPTURE(peft::family({.method = method}));
    const std::vector<index_t> outputs{4, 3, 6};
    group all = linears(outputs);
    auto set = peft::attach(std::vector{&all}, method);
    randomise(set);
    const outcome together = run(all, &set);
    CHECK(together.loss[0] != 0);
    double loss = 0;
    index_t column = 0;
    for (std::size_t p = 0; p < outputs.size(); ++p) {
      std::vector<nn::projection<reference, double>> parts(1);
      parts[0].name = text("block.linear", p);
      parts[0].w = nn::weight<reference, double>(
          backend::host_frozen<double>(testing::random(shape{outputs[p], inputs}, 100 + outputs[p])));
      group one(std::move(parts));
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

TEST_CASE("gradients of adapters with their auxiliary losses are central differences") {
  each_mixture([](const auto& method) {
    CAPTURE(peft::family({.method = method}));
    group g = linears({4, 3});
    auto set = peft::attach(std::vector{&g}, method);
    randomise(set);
    const tensor<double> dy = testing::random(shape{tokens, 7}, 300);
    const auto objective = [&] {
      const outcome now = run(g, &set);
      double sum = now.loss[0];
      for (index_t i = 0; i < dy.size(); ++i) sum += dy[i] * now.y[i];
      return sum;
    };
    run(g, &set);
    std::vector<tensor<double>> analytic;
    for (auto* p : set.parameters()) analytic.push_back(p->gradient.clone());
    for (std::size_t k = 0; k < analytic.size(); ++k) {
      auto* p = set.parameters()[k];
      CAPTURE(p->name);
      tensor<double> numeric(p->extents());
      for (index_t i = 0; i < p->size(); ++i) {
        const double at = p->value[i], h = 1e-6;
        p->value[i] = at + h;
        const double above = objective();
        p->value[i] = at - h;
        const double below = objective();
        p->value[i] = at;
        numeric[i] = (above - below) / (2 * h);
      }
      CHECK(testing::violation(analytic[k].data(), numeric.data(), numeric.size(), {.mtol = 1e-6}) == "");
    }
  });
}

TEST_CASE("top-k: all experts are the dense mixture, and of equal weights the first count") {
  const tensor<double> logits = testing::random(shape{tokens, 6}, 3, -2, 2);
  const peft::sira all{.experts = 6, .k = 6, .capacity = 0, .renorm = peft::renormalise::none, .losses = {}};
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
  auto b = peft::attach(
      std::vector{&h},
      peft::sira{
          .experts = 6, .rank = 2, .k = 6, .alpha = 4, .capacity = 0, .renorm = peft::renormalise::none, .losses = {}});
  randomise(a), randomise(b);
  close(run(h, &b, true, alive).y, run(g, &a, true, alive).y);
  close(gradients(b, ".router.weight"), gradients(a, ".router.weight"));
}

TEST_CASE("permuting the experts permutes their weights and nothing else") {
  const std::vector<index_t> order{3, 0, 2, 1};
  each_mixture([&](const auto& method) {
    CAPTURE(peft::family({.method = method}));
    group g = linears({4}), h = linears({4});
    auto from = peft::attach(std::vector{&g}, method), to = peft::attach(std::vector{&h}, method);
    randomise(from), randomise(to);
    backend::expert_slots_shape s{method.experts, method.rank};
    if constexpr (requires { method.order; }) s.order = method.order;
    const bool shared = peft::down_rows(method) != method.slots();
    const view<double> a = values(from, ".lora_A.weight"), b = values(from, ".lora_B.weight"),
                       r = values(from, ".router.weight");
    const view<double> to_a = values(to, ".lora_A.weight"), to_b = values(to, ".lora_B.weight"),
                       to_r = values(to, ".router.weight");
    std::vector<int> met(std::size_t(method.experts), 0);
    for (int j = 0; j < method.slots(); ++j) {
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

TEST_CASE("capacity: a large one is none, dead rows take no place, and there is none at inference") {
  const tensor<double> logits = testing::random(shape{tokens, 4}, 7, -2, 2);
  peft::sira method{.experts = 4, .k = 2, .capacity = 0, .losses = {}};
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

TEST_CASE("AdaMoLE: experts above the token's threshold, by hand") {
  const int experts = 4;
  const peft::adamole method{.experts = experts, .rank = 1, .alpha = 1, .losses = {}};
  const tensor<double> x = testing::random(shape{tokens, 2 * experts + 1}, 9, -2, 2);
  reference device;
  tape<reference> t(device, recording::forward);
  auto step = context(t, true);
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

TEST_CASE("auxiliary losses by hand; none at inference, none without a weight") {
  const int experts = 4;
  const tensor<double> logits = testing::random(shape{tokens, experts}, 11, -2, 2);
  const auto loss_of = [&](const peft::router_losses& losses, peft::token_group group, bool training = true) {
    reference device;
    tape<reference> t(device, recording::forward);
    auto step = context(t, training);
    const var<double> l = t.input<double>(logits.matrix()), p = ops::softmax(t, l);
    peft::add_router_losses(t, losses, l, p, ops::top_k_mask(t, p, step.instances, 2), group, step);
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

TEST_CASE("mixtures say what they cannot do") {
  group g = linears({4});
  const auto refused = [&](const peft::sira& method) {
    auto set = peft::attach(std::vector{&g}, method);
    run(g, &set);
  };
  CHECK_THROWS_WITH_AS(refused({.gate_dropout = 0.1}), "sira: gate_dropout 0.1 is not supported, only 0", value_error);
  CHECK_THROWS_WITH_AS(refused({.experts = 4, .k = 5}), "sira: 5 of 4 experts", value_error);
  CHECK_THROWS_AS(refused({.experts = 4, .k = 0}), value_error);
  CHECK_THROWS_AS(refused({.capacity = -1}), value_error);
  CHECK_NOTHROW(refused({}));
}

TEST_CASE("how the matrices start") {
  const auto spread = [](view<double> v) {
    double squares = 0, largest = 0;
    for (index_t i = 0; i < v.size(); ++i) squares += v[i] * v[i], largest = std::max(largest, std::abs(v[i]));
    return std::pair(std::sqrt(squares / double(v.size())), largest);
  };
  group g = linears({4});
  const auto check = [&](const auto& method, peft::start a, peft::start r) {
    CAPTURE(peft::family({.method = method}));
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
    close(run(g, &set).y, run(linears({4}), nullptr).y, 0);  // the base alone
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
    CAPTURE(peft::family({.method = method}));
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
