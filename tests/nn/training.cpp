#include <cmath>

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/nn/linear.hpp"
#include "mor1e/ops/all.hpp"
#include "mor1e/optim/adam.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

double deviation_of(const tensor<float>& values) {
  double sum = 0;
  for (const float v : values) sum += double(v) * v;
  return std::sqrt(sum / double(values.size()));
}

}  // namespace

TEST_CASE("initial values have the deviation of their formula, and depend on the key alone") {
  const shape extents{200, 300};
  CHECK(deviation_of(nn::init::normal(extents, 0.02, 1)) == doctest::Approx(0.02).epsilon(0.02));
  CHECK(deviation_of(nn::init::uniform(extents, 0.3, 1)) == doctest::Approx(0.3 / std::sqrt(3)).epsilon(0.02));
  CHECK(deviation_of(nn::init::xavier_normal(extents, 1)) == doctest::Approx(std::sqrt(2. / 500)).epsilon(0.02));
  CHECK(deviation_of(nn::init::xavier_uniform(extents, 1)) == doctest::Approx(std::sqrt(2. / 500)).epsilon(0.02));
  CHECK(deviation_of(nn::init::kaiming_normal(extents, 1)) == doctest::Approx(std::sqrt(2. / 300)).epsilon(0.02));
  CHECK(deviation_of(nn::init::kaiming_uniform(extents, 1, nn::init::tanh_gain)) ==
        doctest::Approx(5. / 3 / std::sqrt(300)).epsilon(0.02));
  CHECK(nn::init::normal(extents, 1, 5) == nn::init::normal(extents, 1, 5));
  CHECK_FALSE(nn::init::normal(extents, 1, 5) == nn::init::normal(extents, 1, 6));
}

TEST_CASE("a linear layer is x W^T + b, with a bias or without, and lists its parameters by name") {
  reference device;
  const tensor<double> w = testing::random({3, 2}, 1), b = testing::random({1, 3}, 2), x = testing::random({4, 2}, 3);
  nn::linear with(device, "layer", w, b), without(device, "bare", w);
  tape t(device);
  const auto y = with(input(t, x)), z = without(input(t, x));
  for (index_t i = 0; i < 4; ++i)
    for (index_t j = 0; j < 3; ++j) {
      const double product = x(i, 0) * w(j, 0) + x(i, 1) * w(j, 1);
      CHECK(z.read()(i, j) == doctest::Approx(product));
      CHECK(y.read()(i, j) == doctest::Approx(product + b[j]));
    }
  const auto all = parameters_of(with, without);
  REQUIRE(all.size() == 3);
  CHECK(all[0]->name == "layer.weight");
  CHECK(all[1]->name == "layer.bias");
  CHECK(all[2]->name == "bare.weight");
  backward(sum(y));
  CHECK(all[1]->read_gradient()[0] == doctest::Approx(4));
  clear_gradients(all);
  CHECK(all[1]->read_gradient()[0] == 0);
}

TEST_CASE("a network learns what no line separates") {
  cpu device(1);
  const tensor<float> x{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, y{{0}, {1}, {1}, {0}};
  nn::linear first(device, "first", 2, 8, 1), second(device, "second", 8, 1, 2);
  const auto parameters = parameters_of(first, second);
  optim::adam optimizer(parameters, {.learning_rate = 0.05});
  float loss = 1;
  for (int step = 0; step < 300; ++step) {
    tape t(device);
    const auto error = binary_cross_entropy_with_logits(second(tanh(first(input(t, x)))), input(t, y));
    clear_gradients(parameters);
    backward(error);
    optimizer.step();
    loss = error.read_scalar();
  }
  CHECK(loss < 0.05f);
}
