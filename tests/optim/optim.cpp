#include <cmath>
#include <limits>
#include <vector>

#include "doctest/doctest.h"
#include "mor1e/optim/adam.hpp"
#include "mor1e/optim/clip.hpp"
#include "mor1e/optim/schedule.hpp"

using namespace mor1e;
using namespace mor1e::optim;

TEST_CASE("the first adam step moves by the learning rate, against the gradient's sign") {
  std::vector<double> value{1, 1, 1}, gradient{1e-3, -50, 0};
  adam<double> optimizer({{value.data(), gradient.data(), 3}}, {.learning_rate = 0.1, .epsilon = 0x1p-60});
  optimizer.step();
  CHECK(value[0] == doctest::Approx(0.9));
  CHECK(value[1] == doctest::Approx(1.1));
  CHECK(value[2] == 1);
}

TEST_CASE("learning rate scale, schedule factor and decay act on each tensor by itself") {
  std::vector<double> a{1}, b{1}, c{1}, gradient{1}, none{0};
  adam<double> optimizer(
      {{a.data(), gradient.data(), 1, 0.25}, {b.data(), none.data(), 1}, {c.data(), none.data(), 1, 1, false}},
      {.learning_rate = 0.1, .weight_decay = 0.5});
  optimizer.step(0.5);
  CHECK(a[0] == doctest::Approx((1 - 0.0125 * 0.5) - 0.0125));
  CHECK(b[0] == doctest::Approx(1 - 0.05 * 0.5));
  CHECK(c[0] == 1);
}

TEST_CASE("a step of factor 0 leaves the values and feeds the moments") {
  std::vector<float> value{1}, gradient{2};
  adam<float> optimizer({{value.data(), gradient.data(), 1}}, {.weight_decay = 0.1});
  optimizer.step(0);
  CHECK(value[0] == 1);
  CHECK(optimizer.moments()[0].first[0] == doctest::Approx(0.2));
  CHECK(optimizer.steps() == 1);
}

TEST_CASE("a step says which tensor is not finite any more, or squared not") {
  constexpr float huge = std::numeric_limits<float>::max();
  std::vector<float> a(37, 1), b(37, 1), small(37, 1), large(37, 1);
  const std::vector<parameter_span<float>> parameters{{a.data(), small.data(), 37}, {b.data(), large.data(), 37}};
  const auto step = [&](double factor) { return adam<float>(parameters, {}).step(factor); };
  CHECK(step(1) == -1);
  CHECK(step(1e300) == 0);  // beyond every float
  a.assign(37, 1);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), huge})
    for (const std::size_t at : {0u, 17u, 36u}) {
      b.assign(37, 1);
      large.assign(37, 1);
      large[at] = bad;  // its square is what no float holds: the step would be 0 for ever
      CHECK(step(1) == 1);
    }
}

TEST_CASE("a restored adam continues bit for bit") {
  const auto gradient_at = [](int step, int i) { return float(std::sin(step * 3 + i)); };
  std::vector<float> value(9, 0.5f), gradient(9);
  const auto run = [&](adam<float>& optimizer, int from, int to) {
    for (int step = from; step < to; ++step) {
      for (int i = 0; i < 9; ++i) gradient[std::size_t(i)] = gradient_at(step, i);
      optimizer.step();
    }
  };
  const std::vector<parameter_span<float>> parameters{{value.data(), gradient.data(), 9}};
  adam<float> whole(parameters, {});
  run(whole, 0, 5);
  const std::vector<float> halfway = value;
  const std::vector<adam_moments<float>> moments(whole.moments().begin(), whole.moments().end());
  run(whole, 5, 10);
  const std::vector<float> expected = value;

  value = halfway;
  adam<float> resumed(parameters, {});
  resumed.restore(5, moments);
  run(resumed, 5, 10);
  CHECK(value == expected);
}

TEST_CASE("adam refuses options and states that do not fit") {
  std::vector<float> value(2), gradient(2);
  const std::vector<parameter_span<float>> parameters{{value.data(), gradient.data(), 2}};
  CHECK_THROWS_AS(adam<float>(parameters, {.learning_rate = -1}), value_error);
  CHECK_THROWS_AS(adam<float>(parameters, {.beta2 = 1}), value_error);
  CHECK_THROWS_AS(adam<float>(parameters, {.learning_rate = std::nan("")}), value_error);
  adam<float> optimizer(parameters, {});
  CHECK_THROWS_WITH_AS(optimizer.restore(1, {}), "adam: moments of 0 tensors for 1", value_error);
  CHECK_THROWS_WITH_AS(optimizer.restore(1, {{{0, 0}, {0}}}), "adam: tensor 0 has 2 elements, its moments 2 and 1",
                       value_error);
}

TEST_CASE("the schedule holds its ends") {
  CHECK(cosine_with_warmup(0, 5, 30) == 0);
  CHECK(cosine_with_warmup(5, 5, 30) == 1);
  CHECK(cosine_with_warmup(0, 0, 10) == 1);
  CHECK(cosine_with_warmup(10, 0, 10) == 0);
  CHECK(cosine_with_warmup(10, 10, 10) == 1);
  CHECK(cosine_with_warmup(11, 5, 30) < cosine_with_warmup(10, 5, 30));
}

TEST_CASE("the norm is taken over all tensors, and only large ones are scaled") {
  std::vector<double> a{3, 0}, b{4};
  const std::vector<parameter_span<double>> parameters{{nullptr, a.data(), 2}, {nullptr, b.data(), 1}};
  CHECK(clip_gradients<double>(parameters, 10) == 5);
  CHECK(b[0] == 4);
  CHECK(clip_gradients<double>(parameters, 1) == 5);
  CHECK(a[0] == doctest::Approx(0.6).epsilon(1e-6));
  CHECK(b[0] == doctest::Approx(0.8).epsilon(1e-6));
  CHECK_THROWS_AS(clip_gradients<double>(parameters, 0), value_error);
}

TEST_CASE("a NaN anywhere makes every gradient NaN") {
  std::vector<float> a{1, std::numeric_limits<float>::quiet_NaN()}, b{2};
  const std::vector<parameter_span<float>> parameters{{nullptr, a.data(), 2}, {nullptr, b.data(), 1}};
  CHECK(std::isnan(clip_gradients<float>(parameters, 1)));
  CHECK(std::isnan(a[0]));
  CHECK(std::isnan(b[0]));
}
