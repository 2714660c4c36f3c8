#include <cmath>
#include <deque>
#include <limits>
#include <vector>

#include "doctest/doctest.h"
#include "host_values.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/optim/adam.hpp"
#include "mor1e/optim/gradients.hpp"
#include "mor1e/optim/schedule.hpp"

using namespace mor1e;
using namespace mor1e::optim;

namespace {

/// Parameters of one device, by their numbers.
template <class B, class T>
struct parameters {
  B device;
  std::deque<param<B, T>> held;
  std::vector<param<B, T>*> all;

  template <class... Arguments>
  explicit parameters(Arguments... of_device) : device(of_device...) {}

  param<B, T>& add(std::vector<T> values, std::vector<T> gradient) {
    const auto row = [](const std::vector<T>& of) { return view<const T>(of.data(), 1, index_t(of.size())); };
    all.push_back(&held.emplace_back(device, text("p", held.size()), shape{1, index_t(values.size())}));
    held.back().write(row(values));
    held.back().gradient.write(row(gradient));
    return held.back();
  }
};

}  // namespace

TEST_CASE_TEMPLATE("the first adam step moves by the learning rate, against the gradient's sign", B, cpu, reference) {
  parameters<B, double> p;
  const auto& value = p.add({1, 1, 1}, {1e-3, -50, 0});
  adam<B, double> optimizer(p.all, {.learning_rate = 0.1, .epsilon = 0x1p-60});
  optimizer.step();
  CHECK(value.read()[0] == doctest::Approx(0.9));
  CHECK(value.read()[1] == doctest::Approx(1.1));
  CHECK(value.read()[2] == 1);
}

TEST_CASE_TEMPLATE("learning rate scale, schedule factor and decay act on each tensor by itself", B, cpu, reference) {
  parameters<B, double> p;
  auto &a = p.add({1}, {1}), &b = p.add({1}, {0}), &c = p.add({1}, {0});
  a.learning_rate_scale = 0.25;
  c.decay = false;
  adam<B, double> optimizer(p.all, {.learning_rate = 0.1, .weight_decay = 0.5});
  optimizer.step(0.5);
  CHECK(a.read()[0] == doctest::Approx((1 - 0.0125 * 0.5) - 0.0125));
  CHECK(b.read()[0] == doctest::Approx(1 - 0.05 * 0.5));
  CHECK(c.read()[0] == 1);
}

TEST_CASE("a step of factor 0 leaves the values and feeds the moments") {
  parameters<cpu, float> p;
  const auto& value = p.add({1}, {2});
  adam<cpu, float> optimizer(p.all, {.weight_decay = 0.1});
  optimizer.step(0);
  CHECK(value.read()[0] == 1);
  CHECK(optimizer.moments()[0].first[0] == doctest::Approx(0.2));
  CHECK(optimizer.steps() == 1);
}

TEST_CASE_TEMPLATE("a step says which tensor is not finite any more, or squared not", B, cpu, reference) {
  constexpr float huge = std::numeric_limits<float>::max();
  const auto step = [](float large, std::size_t at, double factor) {
    parameters<B, float> p;
    std::vector<float> gradient(37, 1);
    p.add(std::vector<float>(37, 1), gradient);
    gradient[at] = large;
    p.add(std::vector<float>(37, 1), gradient);
    return adam<B, float>(p.all, {}).step(factor);
  };
  CHECK(step(1, 0, 1) == -1);
  CHECK(step(1, 0, 1e300) == 0);  // beyond every float
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), huge})
    for (const std::size_t at : {0u, 17u, 36u})
      CHECK(step(bad, at, 1) == 1);  // its square is what no float holds: the step would be 0 for ever
}

TEST_CASE("a step on several threads is that of one, bit for bit, wherever tensors begin") {
  const auto run = [](int threads) {
    parameters<cpu, float> p(threads);
    rng random(3);
    for (const std::size_t size : {std::size_t(3), std::size_t(20000), std::size_t(1), std::size_t(5001)}) {
      std::vector<float> values(size), gradient(size);
      for (std::size_t i = 0; i < size; ++i) values[i] = float(random.normal()), gradient[i] = float(random.normal());
      p.add(values, gradient);
    }
    adam<cpu, float> optimizer(p.all, {.weight_decay = 0.1});
    std::vector<float> out{float(clip_gradients(p.all, 1))};
    for (int step = 0; step < 3; ++step) CHECK(optimizer.step() == -1);
    for (auto* parameter : p.all) testing::append(out, parameter->read());
    return out;
  };
  CHECK(run(1) == run(4));
}

TEST_CASE("a restored adam continues bit for bit") {
  parameters<cpu, float> p;
  auto& value = p.add(std::vector<float>(9, 0.5f), std::vector<float>(9));
  const auto run = [&](adam<cpu, float>& optimizer, int from, int to) {
    tensor<float> gradient({1, 9});
    for (int step = from; step < to; ++step) {
      for (int i = 0; i < 9; ++i) gradient[i] = float(std::sin(step * 3 + i));
      value.gradient.write(gradient);
      optimizer.step();
    }
  };
  adam<cpu, float> whole(p.all, {});
  run(whole, 0, 5);
  const tensor<float> halfway = value.read();
  const std::vector<adam_moments<float>> moments = whole.moments();
  run(whole, 5, 10);
  const tensor<float> expected = value.read();

  value.write(halfway);
  adam<cpu, float> resumed(p.all, {});
  resumed.restore(5, moments);
  run(resumed, 5, 10);
  const tensor<float> found = value.read();
  CHECK(std::equal(found.begin(), found.end(), expected.begin()));
}

TEST_CASE("adam refuses options and states that do not fit") {
  parameters<cpu, float> p;
  p.add({0, 0}, {0, 0});
  using tested = adam<cpu, float>;
  CHECK_THROWS_AS(tested(p.all, {.learning_rate = -1}), value_error);
  CHECK_THROWS_AS(tested(p.all, {.beta2 = 1}), value_error);
  CHECK_THROWS_AS(tested(p.all, {.learning_rate = std::nan("")}), value_error);
  CHECK_THROWS_WITH_AS(tested(std::vector<param<cpu, float>*>{}), "there is no parameter to train", value_error);
  tested optimizer(p.all, {});
  CHECK_THROWS_WITH_AS(optimizer.restore(1, {}), "adam: moments of 0 tensors for 1", value_error);
  std::vector<adam_moments<float>> short_ones;
  short_ones.push_back({tensor<float>({2}), tensor<float>({1})});
  CHECK_THROWS_WITH_AS(optimizer.restore(1, short_ones), "adam: tensor 0 has 2 elements, its moments 2 and 1",
                       value_error);
}

TEST_CASE("the cosine schedule holds its ends") {
  CHECK(cosine_with_warmup(0, 5, 30) == 0);
  CHECK(cosine_with_warmup(5, 5, 30) == 1);
  CHECK(cosine_with_warmup(0, 0, 10) == 1);
  CHECK(cosine_with_warmup(10, 0, 10) == 0);
  CHECK(cosine_with_warmup(10, 10, 10) == 1);
  CHECK(cosine_with_warmup(11, 5, 30) < cosine_with_warmup(10, 5, 30));
  CHECK(cosine_with_warmup(7, 4, 16) == doctest::Approx((1 + std::sqrt(0.5)) / 2));
}

TEST_CASE("every schedule warms up the same way") {
  for (std::int64_t step = 0; step < 4; ++step) {
    CHECK(constant_with_warmup(step, 4) == 0.25 * double(step));
    CHECK(linear_with_warmup(step, 4, 10) == 0.25 * double(step));
    CHECK(cosine_with_warmup(step, 4, 10) == 0.25 * double(step));
    CHECK(step_decay_with_warmup(step, 4, 2, 0.1) == 0.25 * double(step));
  }
}

TEST_CASE("constant, linear and stepped schedules are their formulas") {
  CHECK(constant_with_warmup(0) == 1);
  CHECK(constant_with_warmup(4, 4) == 1);
  CHECK(constant_with_warmup(1000, 4) == 1);
  CHECK(linear_with_warmup(4, 4, 12) == 1);
  CHECK(linear_with_warmup(6, 4, 12) == 0.75);
  CHECK(linear_with_warmup(12, 4, 12) == 0);
  CHECK(linear_with_warmup(13, 4, 12) == 0);
  CHECK(linear_with_warmup(0, 0, 0) == 0);
  CHECK(step_decay_with_warmup(4, 4, 3, 0.5) == 1);
  CHECK(step_decay_with_warmup(6, 4, 3, 0.5) == 1);
  CHECK(step_decay_with_warmup(7, 4, 3, 0.5) == 0.5);
  CHECK(step_decay_with_warmup(13, 4, 3, 0.5) == 0.125);
  CHECK(step_decay_with_warmup(2, 0, 1, 0.5) == 0.25);
  CHECK_THROWS_AS(step_decay_with_warmup(1, 0, 0, 0.5), value_error);
  CHECK_THROWS_AS(step_decay_with_warmup(1, 0, 3, -1), value_error);
}

TEST_CASE_TEMPLATE("the norm is taken over all tensors, and only large ones are scaled", B, cpu, reference) {
  parameters<B, double> p;
  const auto &a = p.add({0, 0}, {3, 0}), &b = p.add({0}, {4});
  CHECK(clip_gradients(p.all, 10) == 5);
  CHECK(b.read_gradient()[0] == 4);
  CHECK(clip_gradients(p.all, 1) == 5);
  CHECK(a.read_gradient()[0] == doctest::Approx(0.6).epsilon(1e-6));
  CHECK(b.read_gradient()[0] == doctest::Approx(0.8).epsilon(1e-6));
  CHECK_THROWS_AS(clip_gradients(p.all, 0), value_error);
}

TEST_CASE("a NaN anywhere makes every gradient NaN") {
  parameters<cpu, float> p;
  const auto &a = p.add({0, 0}, {1, std::numeric_limits<float>::quiet_NaN()}), &b = p.add({0}, {2});
  CHECK(std::isnan(clip_gradients(p.all, 1)));
  CHECK(std::isnan(a.read_gradient()[0]));
  CHECK(std::isnan(b.read_gradient()[0]));
}

TEST_CASE_TEMPLATE("all gradients are cleared, and measured without being changed", B, cpu, reference) {
  parameters<B, float> p;
  auto &a = p.add({0, 0}, {3, 0}), &b = p.add({0}, {4});
  CHECK(gradient_norm(p.all) == 5);
  CHECK(a.read_gradient()[0] == 3);
  gradient_list<B, float>(p.all).clear();
  CHECK(gradient_norm(p.all) == 0);
  b.gradient.fill(2);
  clear_gradients(p.all);
  CHECK(b.read_gradient()[0] == 0);
  clear_gradients(std::vector<param<B, float>*>{});
}

TEST_CASE_TEMPLATE("a step that is begun under a norm that is not finite is none", B, cpu, reference) {
  parameters<B, float> p;
  const float infinite = std::numeric_limits<float>::infinity();
  auto &a = p.add({1, 2}, {3, infinite}), &b = p.add({5}, {4});
  adam<B, float> optimizer(p.all, {.learning_rate = 0.1});
  gradient_list<B, float> gradients(p.all);
  gradients.clip(0);
  optimizer.begin_step(1, gradients.norm_on_device());
  CHECK(std::isinf(gradients.norm()));
  CHECK(optimizer.steps() == 0);
  CHECK(a.read()[0] == 1);
  CHECK(b.read()[0] == 5);
  for (const auto& moments : optimizer.moments()) CHECK(moments.second[0] == 0);

  a.gradient.fill(3);
  gradients.clip(0);
  optimizer.begin_step(1, gradients.norm_on_device());
  CHECK(optimizer.end_step() == -1);
  CHECK(optimizer.steps() == 1);
  CHECK(a.read()[0] == doctest::Approx(0.9));
}
