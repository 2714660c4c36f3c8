// Whole adapted layers against central differences: every method in every option, every parameter, x and intuition.
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

/// f(name, method)
template <class F>
void each_low_rank(F f) {
  f("lora", peft::lora{.rank = 2, .alpha = 3});
  f("lora, dropout", peft::lora{.rank = 2, .alpha = 3, .dropout = 0.4});
  f("rslora", peft::lora{.rank = 2, .alpha = 3, .rank_stabilised = true});
  f("dora", peft::dora{.rank = 2, .alpha = 3});
  f("dora, dropout", peft::dora{.rank = 2, .alpha = 3, .dropout = 0.4});
  f("dora, rank-stabilised", peft::dora{.rank = 2, .alpha = 3, .rank_stabilised = true});
}
template <class F>
void each_sira(F f) {
  const peft::router_losses losses{.gshard = 0.3, .balance = 0.2, .variation = 0.4, .z = 0.05, .entropy = 0.1};
  for (const double capacity : {0.0, 0.75})
    for (const auto renorm : {peft::renormalise::none, peft::renormalise::topk, peft::renormalise::after_capacity})
      for (const auto of : {peft::token_group::instance, peft::token_group::batch})
        for (const double rate : {0.0, 0.3})
          f(text("sira, capacity ", capacity, ", ", peft::names_of(renorm)[std::size_t(renorm)], ", ",
                 names_of(of)[std::size_t(of)], ", dropout ", rate),
            peft::sira{.experts = 4,
                       .rank = 2,
                       .k = 2,
                       .capacity = capacity,
                       .renorm = renorm,
                       .group = of,
                       .gate_dropout = rate,
                       .losses = losses});
  f("sira, tiled", peft::sira{.experts = 4, .rank = 2, .k = 3, .order = peft::slot_order::tiled, .losses = losses});
}
template <class F>
void each_rank1(F f) {
  f("mor1e", peft::mor1e{.experts = 3});
  f("mor1e, paper", peft::mor1e::paper(3));
  f("mor1e, losses",
    peft::mor1e{.experts = 3, .losses = {.gshard = 0.3, .balance = 0.2, .variation = 0.4, .z = 0.05, .entropy = 0.1}});
  f("mor1e, router bias", peft::mor1e{.experts = 3, .router_bias = true});
  f("mor1e, no router", peft::mor1e{.experts = 3, .router = false});
  f("mor1e, no intuition", peft::mor1e{.experts = 3, .intuition = false});
  f("mor1e, mapped", peft::mor1e{.experts = 3, .clusters = 4});
  f("mor1e, mapped, no router", peft::mor1e{.experts = 3, .learned_gates = false, .router = false, .clusters = 4});
  f("mor1e, before", peft::mor1e{.experts = 3, .before = true});
  f("mor1e, before, mapped, bias",
    peft::mor1e{.experts = 3, .learned_gates = false, .router_bias = true, .clusters = 2, .before = true});
  f("mor1e, router on the products", peft::mor1e{.experts = 3, .low_rank_router = true});
  f("mor1e, router on the products, before, mapped",
    peft::mor1e{.experts = 3, .clusters = 4, .before = true, .low_rank_router = true});
  f("mor1e, the two largest", peft::mor1e{.experts = 4, .k = 2});
  f("mor1e, the two largest of a mapped one", peft::mor1e{.experts = 4, .router = false, .clusters = 3, .k = 2});
  f("mor1e, the largest, before", peft::mor1e{.experts = 3, .before = true, .low_rank_router = true, .k = 1});
  f("mix, the four largest", peft::mix_and_match{.r1 = 2, .r2 = 3, .k = 4});
  f("mix", peft::mix_and_match{.r1 = 2, .r2 = 3});
  f("mix, paper", peft::mix_and_match::paper(3, 2));
  f("mix, mapped", peft::mix_and_match{.r1 = 2, .r2 = 2, .clusters = 3});
  f("mix, factorised", peft::mix_and_match{.r1 = 2, .r2 = 3, .factorised = true});
  f("mix, factorised, mapped", peft::mix_and_match{.r1 = 3, .r2 = 2, .factorised = true, .clusters = 4});
  f("mix, no router", peft::mix_and_match{.r1 = 2, .r2 = 2, .router = false});
  f("mix, no intuition", peft::mix_and_match{.r1 = 2, .r2 = 2, .intuition = false});
}

/// Columns of the intuition; 0 for a method without.
template <class M>
index_t felt_columns(const M& method) {
  if constexpr (requires { method.intuition; }) {
    if (!method.intuition) return 0;
    if (method.clusters) return method.clusters;
    if constexpr (requires { method.pairs(); })
      return method.pairs().experts;
    else
      return method.experts;
  }
  return 0;
}

/// |w| of each row of W + s B A of a linear.
std::vector<double> row_norms(const nn::projection<reference, double>& linear, adapters& set, double scale) {
  const view<double> a = values(set, linear.name + ".lora_A.weight"), b = values(set, linear.name + ".lora_B.weight");
  const view<const double> w = linear.w.values().values();
  std::vector<double> out;
  for (index_t i = 0; i < w.rows; ++i) {
    double sum = 0;
    for (index_t j = 0; j < w.cols; ++j) {
      double all = w(i, j);
      for (index_t k = 0; k < a.rows; ++k) all += scale * b(i, k) * a(k, j);
      sum += all * all;
    }
    out.push_back(std::sqrt(sum));
  }
  return out;
}

template <class M>
void check(const M& method, const std::vector<index_t>& outputs, const std::vector<std::int32_t>& of = rows_of) {
  group g = linears(outputs, true);
  auto set = peft::attach(std::vector{&g}, method);
  randomise(set);
  const std::vector<std::int32_t> draw{7, -3};
  tensor<double> x = testing::random(shape{tokens, inputs}, 1, -2, 2),
                 intuition = testing::random(shape{instances, std::max<index_t>(1, felt_columns(method))}, 2);
  const bool felt = felt_columns(method) > 0;
  const tensor<double> dy = testing::random(shape{tokens, g.outputs()}, 300);
  const auto root = [&](tape<reference>& t, var<double>& in, var<double>& feels) {
    auto step = context(t, true, of, &draw);
    in = t.input<double>(std::as_const(x).matrix(), true);
    if (felt) step.batch.intuition = feels = t.input<double>(std::as_const(intuition).matrix(), true);
    const var<double> y = g.forward(t, in, step);
    return nn::total_loss(t, ops::sum(t, ops::multiply(t, y, t.input<double>(dy.matrix()))), step);
  };
  // The norms of DoRA's rows are constants of the backward: m follows them, so that m / n stays what it was.
  std::vector<double> norms, lengths;
  const auto each_row = [&](const auto& f) {
    if constexpr (peft::method_traits<M>::learns_magnitudes) {
      std::size_t row = 0;
      for (const auto& part : g.parts()) {
        const view<double> m = values(set, part.name + ".lora_magnitude_vector");
        const std::vector<double> now = row_norms(part, set, method.scale());
        for (index_t i = 0; i < m.size(); ++i, ++row) f(row, m[i], now[std::size_t(i)]);
      }
    }
  };
  each_row([&](std::size_t, double m, double norm) { norms.push_back(norm), lengths.push_back(m); });
  const auto objective = [&](bool magnitude) {
    if (!magnitude) each_row([&](std::size_t row, double& m, double norm) { m = lengths[row] * norm / norms[row]; });
    reference device;
    tape<reference> t(device, recording::forward);
    var<double> in, feels;
    const double value = t.read(root(t, in, feels))[0];
    if (!magnitude) each_row([&](std::size_t row, double& m, double) { m = lengths[row]; });
    return value;
  };
  const auto close = [&](const std::string& name, double* at, const double* analytic, index_t size) {
    CAPTURE(name);
    const bool magnitude = name.ends_with("lora_magnitude_vector");
    std::vector<double> numeric;
    for (index_t i = 0; i < size; ++i) {
      const double was = at[i], h = name.find(".gate_") != std::string::npos ? 1e-7 : 1e-5;
      at[i] = was + h;
      const double above = objective(magnitude);
      at[i] = was - h;
      const double below = objective(magnitude);
      at[i] = was;
      numeric.push_back((above - below) / (2 * h));
    }
    CHECK(std::any_of(analytic, analytic + size, [](double d) { return d != 0; }));
    CHECK(testing::violation(analytic, numeric.data(), size, {.mtol = 1e-6}) == "");
  };

  reference device;
  tape<reference> t(device);
  var<double> in, feels;
  t.backward(root(t, in, feels));
  const tensor<double> dx = t.gradient(in);
  close("x", x.data(), dx.data(), x.size());
  if (felt) {
    const tensor<double> di = t.gradient(feels);
    close("intuition", intuition.data(), di.data(), intuition.size());
  }
  for (auto* p : set.parameters()) close(p->name, p->value.matrix().data, p->gradient.matrix().data, p->size());
}

const auto on_groups = [](const std::string& name, const auto& method) {
  CAPTURE(name);
  check(method, {4});
  check(method, {4, 2, 3});
};

}  // namespace

TEST_CASE("gradients of LoRA and DoRA are central differences") { each_low_rank(on_groups); }
TEST_CASE("gradients of dense mixtures with their losses are central differences") {
  each_mixture([](const auto& method) { on_groups(std::string(method.label), method); });
  on_groups("loramoe, dropout", peft::loramoe{.experts = 3, .rank = 2, .losses = {.z = 0.05}, .dropout = 0.4});
  for (const double delta : {0.0, 0.3, 1.0}) {
    CAPTURE(delta);
    const peft::loramoe typed{.experts = 4, .rank = 2, .dropout = 0, .type_balance = 0.7, .delta = delta};
    for (const std::vector<index_t>& outputs : {std::vector<index_t>{4}, {4, 2, 3}})
      check(typed, outputs, in_one_piece);
  }
  on_groups("adamole, a low threshold", peft::adamole{.experts = 4, .rank = 2, .threshold = 0.1});
}
TEST_CASE("gradients of SiRA with its losses are central differences") { each_sira(on_groups); }
TEST_CASE("gradients of mixtures of rank-1 experts are central differences") { each_rank1(on_groups); }
