// SiRA's dropout of gates against weights made by hand from what is dropped.
#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/ops/dropout.hpp"
#include "peft/layer.hpp"

using namespace mor1e;
using namespace mor1e::testing::layer;

namespace {

constexpr int experts = 6;
constexpr std::uint64_t site = 17;
constexpr double rate = 0.4;

struct routed {
  tensor<double> weights;
  double loss = 0;
};
routed route(const peft::sira& method, const tensor<double>& logits, const std::vector<std::int32_t>& draw,
             bool training = true) {
  reference device;
  tape<reference> t(device, recording::forward);
  peft::adapter_context step(context(t, training, rows_of, &draw));
  routed out{t.read(method.weights(t, t.input<double>(logits.matrix()), step, site)), 0};
  for (const var<double> loss : step.auxiliary_losses) out.loss += t.read(loss)[0];
  return out;
}

/// softmax(logits), and 0 where a gate is dropped.
std::vector<double> kept_gates(const tensor<double>& logits, const std::vector<std::int32_t>& draw) {
  reference device;
  tape<reference> t(device, recording::forward);
  auto step = context(t, true, rows_of, &draw);
  const tensor<double> ones(logits.extents(), 1.0);
  const tensor<double> mask = t.read(ops::dropout(t, t.input<double>(ones.matrix()), rate, site, step.batch.examples,
                                                  step.batch.positions, step.batch.draw));
  std::vector<double> out;
  for (index_t i = 0; i < tokens; ++i) {
    double sum = 0;
    for (int e = 0; e < experts; ++e) sum += std::exp(logits[i * experts + e]);
    for (int e = 0; e < experts; ++e)
      out.push_back(mask[i * experts + e] > 0 ? std::exp(logits[i * experts + e]) / sum : 0);
  }
  return out;
}

const tensor<double> logits = testing::random(shape{tokens, experts}, 3, -2, 2);
const std::vector<std::int32_t> draw{5, -9};

}  // namespace

TEST_CASE("a dropped gate is not chosen, takes no place and counts in no loss") {
  const std::vector<double> g = kept_gates(logits, draw);
  for (const int k : {2, experts})  // all experts: some tokens have fewer gates left
    for (const double capacity : {0.0, 0.5})
      for (const auto renorm : {peft::renormalise::none, peft::renormalise::topk, peft::renormalise::after_capacity}) {
        CAPTURE(k);
        CAPTURE(capacity);
        const peft::sira method{.experts = experts,
                                .rank = 1,
                                .k = k,
                                .capacity = capacity,
                                .renorm = renorm,
                                .group = peft::token_group::batch,
                                .gate_dropout = rate,
                                .losses = {.gshard = 3}};
        double count[experts] = {}, mean[experts] = {}, used[experts] = {}, loss = 0;
        std::vector<double> expected(g.size(), 0.0);
        for (index_t i = 0; i < tokens; ++i) {
          if (rows_of[std::size_t(i)] < 0) continue;
          double of_chosen = 0, of_taken = 0, all = 0;
          for (int e = 0; e < experts; ++e) all += std::exp(logits[i * experts + e]);
          for (int e = 0; e < experts; ++e) {
            const double* row = &g[std::size_t(i * experts)];
            mean[e] += std::exp(logits[i * experts + e]) / all / live;
            if (row[e] == 0 || std::count_if(row, row + experts, [&](double o) { return o > row[e]; }) >= k) continue;
            count[e] += 1, of_chosen += row[e];
            if (capacity > 0 && used[e]++ >= std::ceil(capacity * k * live / experts)) continue;
            expected[std::size_t(i * experts + e)] = row[e], of_taken += row[e];
          }
          const double by = renorm == peft::renormalise::none   ? 1 - rate
                            : renorm == peft::renormalise::topk ? of_chosen
                                                                : of_taken;
          for (int e = 0; e < experts && by > 0; ++e) expected[std::size_t(i * experts + e)] /= by;
        }
        for (int e = 0; e < experts; ++e) loss += 3.0 / experts * count[e] / live * mean[e];
        const routed ours = route(method, logits, draw);
        CHECK(testing::violation(ours.weights.data(), expected.data(), ours.weights.size(), {.atol = 1e-14}) == "");
        CHECK(ours.loss == doctest::Approx(loss).epsilon(1e-13));
      }
}

TEST_CASE("gates are dropped at their rate, anew for each step, and on average the weights are those of inference") {
  const peft::sira method{.experts = experts,
                          .k = experts,
                          .capacity = 0,
                          .renorm = peft::renormalise::none,
                          .gate_dropout = rate,
                          .losses = {}};
  const tensor<double> whole = route(method, logits, draw, false).weights;
  CHECK(*std::min_element(whole.begin(), whole.begin() + 3 * experts) > 0);
  std::vector<double> mean(std::size_t(whole.size()), 0.0);
  const int steps = 4000;
  double dropped = 0;
  for (int step = 0; step < steps; ++step) {
    const tensor<double> now = route(method, logits, {step, 1}).weights;
    for (index_t i = 0; i < now.size(); ++i) mean[std::size_t(i)] += now[i] / steps, dropped += now[i] == 0;
  }
  // Of 4000 steps the mean of a weight p has the standard deviation p sqrt(0.4 / 0.6 / 4000) = 0.013 p.
  for (index_t i = 0; i < whole.size(); ++i) CHECK(std::abs(mean[std::size_t(i)] - whole[i]) < 0.06 * whole[i] + 1e-15);
  const double of_dead = double(tokens - live) / tokens, share = dropped / steps / double(whole.size());
  CHECK(share == doctest::Approx(of_dead + (1 - of_dead) * rate).epsilon(0.01));
}

TEST_CASE("every linear, of a group and of another, drops its own") {
  const peft::sira method{
      .experts = experts, .rank = 1, .k = experts, .renorm = peft::renormalise::none, .gate_dropout = rate};
  group g = linears({4, 4}), h = linears({4, 4}, false, 2);
  auto set = peft::attach(std::vector{&g, &h}, method);
  // The same router for all, so that nothing else differs.
  for (auto& v : set.views())
    if (const tensor<double> same = testing::random(v.extents, 5); true) v.write(same);
  reference device;
  tape<reference> t(device, recording::forward);
  auto step = context(t, true, rows_of, &draw);
  const tensor<double> values = testing::random(shape{tokens, inputs}, 1, -2, 2);
  const var<double> x = t.input<double>(values.matrix());
  std::vector<tensor<double>> updates;
  for (const group* of : {&g, &h}) {
    const tensor<double> with = t.read(of->forward(t, x, step)), without = t.read(of->base(t, x));
    for (index_t p = 0; p < 2; ++p) {
      updates.emplace_back(shape{tokens, 4});
      for (index_t i = 0; i < tokens * 4; ++i)
        updates.back()[i] = with[i / 4 * 8 + p * 4 + i % 4] - without[i / 4 * 8 + p * 4 + i % 4];
    }
  }
  for (std::size_t a = 0; a < updates.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) CHECK(differ(updates[a], updates[b]));
}
