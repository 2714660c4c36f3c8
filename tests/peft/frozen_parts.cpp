// Methods that train neither V nor U, start U anywhere, and own what they train.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/ops/block_linear.hpp"
#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/multiply.hpp"
#include "mor1e/ops/softmax.hpp"
#include "mor1e/ops/softplus.hpp"
#include "mor1e/peft/merge.hpp"
#include "mor1e/peft/method_cost.hpp"
#include "mor1e/peft/mixture.hpp"
#include "mor1e/peft/noisy.hpp"
#include "peft/layer.hpp"

using namespace mor1e;
using namespace mor1e::testing::layer;

namespace {

/// z = W x + diag(b) U D V^T x, U and V frozen, D a matrix and b a vector; or with V^T x weighed by a router.
struct frozen_method {
  static constexpr bool trains_down = false, trains_up = false, shares_draws = true;
  int rank = 3;
  bool router = false;
  double dropout = 0;

  int update_rank() const { return rank; }
  int router_rows() const { return router ? rank : 0; }
  double scale() const { return 2; }
  double input_dropout() const { return dropout; }
  peft::start up_start() const { return peft::start::uniform; }
  peft::own_parameter up_scale() const { return {.name = "b", .learning_rate_scale = 3, .value = 0.5}; }
  std::vector<peft::own_parameter> own_parameters() const {
    return {{.name = "d.weight", .width = rank, .rows = rank, .random = true, .in_update = true},
            {.name = "bias", .width = rank, .value = 0.25}};
  }
  template <class B, class T>
  var<T> bias(tape<B>& t, std::span<const var<T>> own) const {
    if (!router) return {};
    const var<T> parts[] = {ops::scale(t, own[1], 0), own[1]};
    return ops::concat_columns<B, T>(t, parts);
  }
  template <class B, class T>
  var<T> gates(tape<B>& t, var<T> x, int linears, std::span<const var<T>> own, peft::adapter_context<B, T>&) const {
    const index_t n = index_t(linears) * rank;
    const var<T> mixed = ops::block_linear(t, router ? ops::columns(t, x, 0, n) : x, own[0]);
    return router ? ops::multiply(t, mixed, ops::sigmoid(t, ops::columns(t, x, n, n))) : mixed;
  }
};

/// Forgets the weights of all experts but three.
struct narrow_router {
  auto operator()(auto& tape, auto logits, auto&) const { return ops::columns(tape, ops::softmax(tape, logits), 0, 3); }
  bool operator==(const narrow_router&) const = default;
};

/// The parameters and the input against central differences.
void check_gradients(const frozen_method& method) {
  group g = linears({4, 2});
  auto set = peft::attach(std::vector{&g}, method, 5);
  randomise(set);
  tensor<double> x = testing::random(shape{tokens, inputs}, 1, -2, 2);
  const std::vector<std::int32_t> draw{7, -3};
  const tensor<double> dy = testing::random(shape{tokens, g.outputs()}, 300);
  const auto root = [&](tape<reference>& t, var<double>& in) {
    auto step = context(t, true, rows_of, &draw);
    in = t.input<double>(std::as_const(x).matrix(), true);
    return ops::sum(t, ops::multiply(t, g.forward(t, in, step), t.input<double>(dy.matrix())));
  };
  const auto objective = [&] {
    reference device;
    tape<reference> t(device, recording::forward);
    var<double> in;
    return t.read(root(t, in))[0];
  };
  const auto close = [&](const std::string& name, double* at, const double* analytic, index_t size) {
    CAPTURE(name);
    std::vector<double> numeric;
    for (index_t i = 0; i < size; ++i) {
      const double was = at[i], h = 1e-5;
      at[i] = was + h;
      const double above = objective();
      at[i] = was - h;
      numeric.push_back((above - objective()) / (2 * h));
      at[i] = was;
    }
    CHECK(std::any_of(analytic, analytic + size, [](double d) { return d != 0; }));
    CHECK(testing::violation(analytic, numeric.data(), size, {.mtol = 1e-6}) == "");
  };
  reference device;
  tape<reference> t(device);
  var<double> in;
  t.backward(root(t, in));
  const tensor<double> dx = t.gradient(in);
  close("x", x.data(), dx.data(), x.size());
  for (auto* p : set.parameters())
    if (method.router || !p->name.ends_with(".bias"))
      close(p->name, p->value.matrix().data, p->gradient.matrix().data, p->size());
}

std::vector<std::string> names_of(const std::vector<param<reference, double>*>& parameters) {
  std::vector<std::string> out;
  for (const auto* p : parameters) out.push_back(p->name);
  return out;
}

}  // namespace

TEST_CASE("only what a method owns is trained and stored; the seed draws the rest again") {
  group g = linears({4, 2}), h = linears({4, 2}), other = linears({4, 2});
  auto set = peft::attach(std::vector{&g}, frozen_method{}, 5);
  CHECK(names_of(set.parameters()) ==
        std::vector<std::string>{"block.linear0.d.weight", "block.linear0.bias", "block.linear0.b", "block.linear1.b"});
  CHECK(set.linears() == std::vector<std::string>{"block.linear0", "block.linear1"});
  CHECK(set.parameter_count() == 2 * (9 + 3) + 4 + 2);
  for (const auto& v : set.views()) CHECK(v.name.find(".lora_") == std::string::npos);
  CHECK(values(set, "linear1.b")[1] == 0.5);
  CHECK(values(set, "linear1.bias")[2] == 0.25);
  for (auto* p : set.parameters())
    if (p->name.ends_with(".b")) CHECK(p->learning_rate_scale == 3);

  auto again = peft::attach(std::vector{&h}, frozen_method{}, 5),
       another = peft::attach(std::vector{&other}, frozen_method{}, 6);
  const outcome first = run(g, &set, false), same = run(h, &again, false), differs = run(other, &another, false);
  close(first.y, same.y, 0);
  CHECK(differ(first.y, differs.y));
  CHECK(differ(first.y, run(linears({4, 2}), nullptr, false).y));  // U does not start at zero

  const peft::method_cost cost = peft::cost_on(frozen_method{}, inputs, 4);
  CHECK(cost.parameters == 9 + 3 + 4);
  CHECK(cost.frozen == 3 * (inputs + 4));
  CHECK(cost.flops() == 2 * (9 + 3 * (inputs + 4)));
}

TEST_CASE("linears of a size share their frozen parts if the method says so") {
  group g = linears({4}), h = linears({4}, false, 7);
  auto set = peft::attach(std::vector{&g, &h}, frozen_method{}, 5);
  // Of the two own matrices, that are drawn apart, one is given to both.
  std::vector<view<double>> own;
  for (auto& v : set.views())
    if (v.name.ends_with(".d.weight")) own.push_back(testing::in_place(v));
  REQUIRE(own.size() == 2);
  CHECK(own[0][0] != own[1][0]);
  copy(own[0], own[1]);
  close(run(g, nullptr, false).y, run(h, nullptr, false).y, 0);
}

TEST_CASE("gradients of methods with frozen parts are central differences") {
  check_gradients({});
  check_gradients({.router = true});
  check_gradients({.router = true, .dropout = 0.4});
}

TEST_CASE("a frozen part is merged as a trained one") {
  group g = linears({4, 2});
  auto set = peft::attach(std::vector{&g}, frozen_method{}, 5);
  randomise(set);
  const outcome adapted = run(g, &set, false);
  reference device;
  const peft::merged_adapters<reference, double> merged(device, set);
  close(run(g, nullptr, false).y, adapted.y, 1e-10);
}

TEST_CASE("noise is of the step, the token and the site, and has mean 0 and deviation x") {
  reference device;
  const auto drawn = [&](std::int32_t key, std::uint64_t site) {
    tape<reference> t(device, recording::forward);
    const std::vector<std::int32_t> draw{key, 0};
    const peft::adapter_context step(context(t, true, rows_of, &draw));
    const tensor<double> deviation(shape{tokens, 400}, 3.0);
    return t.read(peft::noisy(t, t.input<double>(deviation.matrix()), site, step, "test"));
  };
  const tensor<double> one = drawn(1, 1);
  close(one, drawn(1, 1), 0);
  CHECK(differ(one, drawn(2, 1)));
  CHECK(differ(one, drawn(1, 2)));
  double sum = 0, squares = 0, fourth = 0;
  for (const double e : one) sum += e / 3, squares += e * e / 9, fourth += std::pow(e / 3, 4);
  const double n = double(one.size());
  CHECK(std::abs(sum / n) < 0.05);
  CHECK(squares / n == doctest::Approx(1).epsilon(0.06));
  CHECK(fourth / n == doctest::Approx(3).epsilon(0.2));
}

TEST_CASE("a router of the wrong width is named with its linear and both widths") {
  group g = linears({4, 2});
  auto set = peft::attach(std::vector{&g}, peft::basic_mor1e<narrow_router>{.experts = 4, .intuition = false});
  CHECK_THROWS_WITH_AS(run(g, &set, false), "router: 3 weights a token for block.linear0, which has 4 experts",
                       shape_error);
}
