#include "mor1e/optim/sgd.hpp"

#include <cmath>
#include <limits>

#include "append.hpp"
#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/nn/linear.hpp"
#include "mor1e/testing/fenced.hpp"

using namespace mor1e;

namespace {

/// Two tensors, of which the second does not decay, after `steps` of the formula in plain arithmetic.
struct expected {
  double first = 1, second = 5, velocity = 0, velocity_of_second = 0;

  void step(double gradient, double of_second, const optim::sgd_options& o, double factor) {
    const auto one = [&](double g, double& v, double& p) {
      v = o.momentum * v + g;
      p -= o.learning_rate * factor * (o.nesterov ? g + o.momentum * v : v);
    };
    one(gradient + o.weight_decay * first, velocity, first);
    one(of_second, velocity_of_second, second);
  }
};

}  // namespace

TEST_CASE_TEMPLATE("sgd is its formula: plain, with decay, with momentum, with Nesterov's", B, cpu, reference,
                   testing::fenced) {
  using optim::sgd_options;
  for (const sgd_options& options :
       {sgd_options{.learning_rate = 0.1}, sgd_options{.learning_rate = 0.1, .weight_decay = 0.01},
        sgd_options{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01},
        sgd_options{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true}}) {
    CAPTURE(options.momentum);
    CAPTURE(options.nesterov);
    B device;
    param<B, double> p(device, "p", tensor<double>{{1, -2}}), q(device, "q", tensor<double>{{5}});
    q.decay = false;
    optim::sgd optimizer(std::vector{&p, &q}, options);
    expected e;
    for (int step = 0; step < 3; ++step) {
      const double gradient = 0.5 - step, of_second = 0.25 * step;
      p.gradient.write(tensor<double>{{gradient, 0}});
      q.gradient.write(tensor<double>{{of_second}});
      CHECK(optimizer.step(0.5) == -1);
      e.step(gradient, of_second, options, 0.5);
    }
    CHECK(p.read()[0] == doctest::Approx(e.first).epsilon(1e-12));
    CHECK(q.read()[0] == doctest::Approx(e.second).epsilon(1e-12));
    CHECK(optimizer.velocities().size() == (options.momentum > 0 ? 2 : 0));
    if (options.momentum > 0) CHECK(optimizer.velocities()[0][0] == doctest::Approx(e.velocity).epsilon(1e-12));
  }
}

TEST_CASE_TEMPLATE("each tensor has its own rate", B, cpu, reference) {
  B device;
  param<B, double> p(device, "p", tensor<double>{{1}});
  p.learning_rate_scale = 0.25;
  p.gradient.write(tensor<double>{{2}});
  optim::sgd(std::vector{&p}, {.learning_rate = 0.1}).step();
  CHECK(p.read()[0] == doctest::Approx(1 - 0.025 * 2));
}

TEST_CASE_TEMPLATE("a step says which tensor is not finite any more, or its velocity", B, cpu, reference) {
  const auto step = [](float bad, double factor, double momentum) {
    B device;
    param<B, float> p(device, "p", shape{1, 37}), q(device, "q", shape{1, 37});
    tensor<float> gradient({1, 37}, 1);
    gradient[36] = bad;
    q.gradient.write(gradient);
    return optim::sgd(std::vector{&p, &q}, {.momentum = momentum}).step(factor);
  };
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(step(1, 1, 0.9) == -1);
  CHECK(step(infinity, 1, 0) == 1);
  CHECK(step(infinity, 1, 0.9) == 1);
  CHECK(step(std::nanf(""), 1, 0.9) == 1);
}

TEST_CASE("a step on several threads is that of one, bit for bit, wherever tensors end") {
  const auto run = [](int threads) {
    cpu device(threads);
    std::vector<float> out;
    std::vector<std::unique_ptr<param<cpu, float>>> held;
    std::vector<param<cpu, float>*> all;
    for (const index_t size : {3, 5000, 1, 0, 9001, 64}) {
      held.push_back(std::make_unique<param<cpu, float>>(device, "p", nn::init::normal({1, size}, 1, 1)));
      held.back()->gradient.write(nn::init::normal({1, size}, 1, 2));
      all.push_back(held.back().get());
    }
    optim::sgd optimizer(all, {.momentum = 0.9, .weight_decay = 0.1, .nesterov = true});
    for (int step = 0; step < 3; ++step) CHECK(optimizer.step() == -1);
    for (const auto* p : all) testing::append(out, p->read());
    return out;
  };
  const std::vector<float> one = run(1);
  CHECK(run(2) == one);
  CHECK(run(5) == one);
}

TEST_CASE("a restored sgd continues bit for bit") {
  cpu device(1);
  nn::linear layer(device, "layer", 3, 2, 1);
  const auto run = [&](auto& optimizer, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t step = from; step < to; ++step) {
      for (auto* p : layer.parameters()) p->gradient.write(nn::init::normal(p->extents(), 1, step));
      optimizer.step();
    }
  };
  const auto values = [&] { return std::pair(layer.w.parameter()->read(), layer.b.parameter()->read()); };
  const optim::sgd_options options{.learning_rate = 0.1, .momentum = 0.9};
  optim::sgd whole(layer, options);
  run(whole, 0, 5);
  const auto halfway = values();
  const auto velocities = whole.velocities();
  run(whole, 5, 10);
  const auto expected = values();

  layer.w.parameter()->write(halfway.first);
  layer.b.parameter()->write(halfway.second);
  optim::sgd resumed(layer, options);
  resumed.restore(velocities);
  run(resumed, 5, 10);
  CHECK(values() == expected);
}

TEST_CASE("sgd refuses options and states that do not fit") {
  cpu device(1);
  param<cpu, float> p(device, "p", shape{1, 2});
  const std::vector all{&p};
  using tested = optim::sgd<cpu, float>;
  CHECK_THROWS_AS(tested(all, {.learning_rate = -1}), value_error);
  CHECK_THROWS_AS(tested(all, {.momentum = 1}), value_error);
  CHECK_THROWS_AS(tested(all, {.weight_decay = std::nan("")}), value_error);
  CHECK_THROWS_WITH_AS(tested(all, {.nesterov = true}), "sgd: nesterov needs a momentum", value_error);
  CHECK_THROWS_AS(tested(std::vector<param<cpu, float>*>{}), value_error);
  tested optimizer(all, {.momentum = 0.5});
  CHECK_THROWS_WITH_AS(optimizer.restore({}), "sgd: velocities of 0 tensors for 1", value_error);
  std::vector<tensor<float>> short_one;
  short_one.push_back(tensor<float>({1, 1}, 0));
  CHECK_THROWS_WITH_AS(optimizer.restore(short_one), "sgd: tensor 0 has 2 elements, its velocity 1", value_error);
}
