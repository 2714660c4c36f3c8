// The fused mixture against its definition from separate ops, and a router of one's own in an adapter.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/peft/methods/mor1e.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

/// A router as a user writes it: p = softmax(logits / temperature).
struct temperature_router {
  double temperature = 1;
  auto operator()(auto& tape, auto logits, auto&) const {
    return ops::softmax(tape, ops::scale(tape, logits, 1 / temperature));
  }
};

/// The output, then all gradients, of the same inputs.
using results = std::vector<tensor<double>>;

void check_equal(const results& ours, const results& expected, double tolerance) {
  REQUIRE(ours.size() == expected.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    CAPTURE(i);
    REQUIRE(ours[i].extents() == expected[i].extents());
    CHECK(testing::violation(ours[i].data(), expected[i].data(), expected[i].size(), {.atol = tolerance}) == "");
  }
}

constexpr index_t tokens = 7, instances = 3;

/// Gates alone: x, intuition, a and b watched.
template <class B>
results run_gates(B& device, const backend::rank1_gates_shape& s, bool fused) {
  tape<B> t(device);
  peft::adapter_context<B, double> step;
  const std::vector<std::int32_t> of{0, 0, 2, -1, 1, 1, 2};  // one dead row
  step.batch.instances = t.template input<std::int32_t>(view<const std::int32_t>(of.data(), tokens, 1));
  const auto watched = [&](index_t rows, index_t cols, std::uint64_t key, double size) {
    const tensor<double> values = testing::random(shape{rows, cols}, key, -size, size);
    return t.template input<double>(values.matrix(), true);
  };
  const var<double> x = watched(tokens, s.columns(), 1, 2);
  step.batch.intuition = watched(instances, s.intuition_columns(), 2, 1);
  const var<double> a = watched(1, s.parts, 3, 0.02), b = watched(1, s.parts, 4, 0.02);
  const var<double> y =
      fused ? ops::rank1_gates(t, s, x, step.batch.intuition, step.batch.instances, a, b)
            : peft::composed_rank1_gates(t, s, x, step.batch.intuition, a, b, peft::softmax_router{}, step);
  t.keep(y);
  const tensor<double> dy = testing::random(shape{y.rows, y.cols}, 5);
  t.backward(y, dy.matrix());
  results out;
  out.push_back(t.read(y));
  for (const var<double> v : {x, step.batch.intuition, a, b}) out.push_back(t.gradient(v));
  return out;
}

/// A group of linears of 5 and 3 outputs with the mixture on it: y, dx, dI and every parameter's gradient.
template <class Router>
results run_adapter(peft::basic_mor1e<Router> method, double router_size = 1) {
  reference device;
  std::vector<nn::projection<reference, double>> parts(2);
  for (index_t p = 0; p < 2; ++p) {
    parts[p].name = text("linear", p);
    parts[p].w = nn::weight<reference, double>(
        backend::host_frozen<double>(testing::memory, testing::random(shape{5 - 2 * p, 4}, 10 + std::uint64_t(p))));
  }
  nn::projection_group<reference, double> group(testing::memory, std::move(parts));
  auto set = peft::attach(std::vector{&group}, method, 3);
  std::uint64_t key = 20;
  for (auto& v : set.views()) {
    // Gates around 0, where sigmoid(100 a) is neither 0 nor 1.
    const bool gate = v.name.find("gate_") != std::string::npos, router = v.name.find("router") != std::string::npos;
    tensor<double> values = testing::random(v.extents, ++key);
    for (double& x : values) x *= gate ? 0.01 : router ? router_size : 1;
    v.write(values);
  }
  tape<reference> t(device);
  nn::step_context<reference, double> step;
  const std::vector<std::int32_t> of{0, 0, 2, -1, 1, 1, 2};
  step.batch.instances = t.input<std::int32_t>(view<const std::int32_t>(of.data(), tokens, 1));
  const tensor<double> intuition = testing::random(shape{instances, method.experts}, 7),
                       values = testing::random(shape{tokens, 4}, 8);
  if (method.intuition) step.batch.intuition = t.input<double>(intuition.matrix(), true);
  const var<double> x = t.input<double>(values.matrix(), true);
  const var<double> y = group.forward(t, x, step);
  t.keep(y);
  const tensor<double> dy = testing::random(shape{y.rows, y.cols}, 9);
  t.backward(y, dy.matrix());
  results out;
  out.push_back(t.read(y));
  out.push_back(t.gradient(x));
  if (method.intuition) out.push_back(t.gradient(step.batch.intuition));
  for (const auto* p : set.parameters()) out.push_back(p->read_gradient());
  return out;
}

}  // namespace

TEST_CASE("fused gates equal the composed ones, forward and backward") {
  reference plain;
  cpu fast(2);
  for (const int parts : {1, 3})
    for (const int experts : {1, 5, 70})
      for (const bool router : {false, true})
        for (const bool intuition : {false, true})
          for (const bool learned : {false, true})
            for (const bool own : {false, true}) {
              if ((!router && !intuition) || (own && !intuition)) continue;
              CAPTURE(parts);
              CAPTURE(experts);
              CAPTURE(router);
              CAPTURE(intuition);
              CAPTURE(learned);
              CAPTURE(own);
              const backend::rank1_gates_shape s{parts, experts, 3.5, 4, router, intuition, learned, own};
              const results expected = run_gates(plain, s, false);
              check_equal(run_gates(plain, s, true), expected, 1e-12);
              check_equal(run_gates(fast, s, true), expected, 1e-12);
              check_equal(run_gates(fast, s, false), expected, 1e-12);
            }
}

TEST_CASE("an adapter with a router of one's own equals the fused one with scaled logits") {
  for (const bool learned : {false, true})
    for (const bool intuition : {false, true})
      for (const bool bias : {false, true}) {
        CAPTURE(learned);
        CAPTURE(intuition);
        CAPTURE(bias);
        peft::mor1e fused{.experts = 6, .learned_gates = learned, .intuition = intuition, .router_bias = bias};
        peft::basic_mor1e<temperature_router> own{
            .experts = 6, .learned_gates = learned, .intuition = intuition, .router_bias = bias};
        check_equal(run_adapter(own), run_adapter(fused), 1e-12);
        // At temperature 2, half the router is the same weights: y and what does not pass through the router agree.
        own.route.temperature = 2;
        const results half = run_adapter(fused, 0.5), cooled = run_adapter(own);
        for (const std::size_t i : {std::size_t(0), std::size_t(1)})
          CHECK(testing::violation(cooled[i].data(), half[i].data(), half[i].size(), {.atol = 1e-12}) == "");
        const results warm = run_adapter(fused);
        CHECK(testing::violation(cooled[0].data(), warm[0].data(), warm[0].size(), {.atol = 1e-3}) != "");
      }
}

TEST_CASE("a mixture says what it lacks") {
  CHECK_THROWS_WITH_AS(run_adapter(peft::mor1e{.experts = 3, .router = false, .intuition = false}),
                       "mor1e: router and intuition are both off", value_error);
  CHECK_THROWS_AS(run_adapter(peft::mor1e{.experts = 0}), value_error);
}
