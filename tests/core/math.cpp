#include "mor1e/core/math.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "doctest/doctest.h"

using namespace mor1e;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Every 257th finite float: 16 million values, denormals among them.
template <class F>
void for_floats(F f) {
  for (std::uint64_t bits = 0; bits < (std::uint64_t(1) << 32); bits += 257)
    if (const float x = std::bit_cast<float>(std::uint32_t(bits)); std::isfinite(x)) f(x);
}

struct worst {
  double error = 0;
  float at = 0;
  void see(double e, float x) {
    if (!(e <= error)) error = std::isnan(e) ? HUGE_VAL : e, at = x;
  }
};

/// The largest relative error of f against the same function in double, where the result is a normal number.
template <class F, class Reference>
worst relative(F f, Reference reference) {
  worst out;
  for_floats([&](float x) {
    const double want = reference(double(x));
    if (std::abs(want) >= std::numeric_limits<float>::min() && std::abs(want) <= std::numeric_limits<float>::max())
      out.see(std::abs(double(f(x)) - want) / std::abs(want), x);
  });
  return out;
}

const auto exp_of = [](auto x) { return math::exp(x); };
const auto log_of = [](auto x) { return math::log(x); };
const auto tanh_of = [](auto x) { return math::tanh(x); };
const auto erf_of = [](auto x) { return math::erf(x); };
const auto sin_of = [](auto x) { return math::sin(x); };
const auto cos_of = [](auto x) { return math::cos(x); };
const auto sigmoid_of = [](auto x) { return math::sigmoid(x); };

}  // namespace

TEST_CASE("float functions keep their errors over the whole range") {
  const auto check = [](worst found, double bound) {
    CAPTURE(found.at);
    CHECK(found.error <= bound);
    CHECK(found.error > 0);  // the sweep did look
  };
  check(relative(exp_of, [](double x) { return std::exp(x); }), 2.4e-7);
  worst of_log;
  for_floats([&](float x) {
    if (x < std::numeric_limits<float>::min()) return;
    const double want = std::log(double(x));
    of_log.see(
        std::abs(double(math::log(x)) - want) / std::max(std::abs(want), double(std::numeric_limits<float>::min())), x);
  });
  check(of_log, 2e-7);
  check(relative(tanh_of, [](double x) { return std::tanh(x); }), 3e-7);
  check(relative(erf_of, [](double x) { return std::erf(x); }), 3e-7);
  check(relative(sigmoid_of, [](double x) { return 1 / (1 + std::exp(-x)); }), 4e-7);
}

TEST_CASE("float functions at the edges") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), tiny = std::numeric_limits<float>::denorm_min();
  CHECK(std::isnan(math::exp(nan)));
  CHECK(std::isnan(math::tanh(nan)));
  CHECK(std::isnan(math::erf(nan)));
  CHECK(std::isnan(math::sigmoid(nan)));
  CHECK(math::exp(infinity) == infinity);
  CHECK(math::exp(-infinity) == 0);
  CHECK(math::exp(89.0f) == infinity);
  CHECK(math::exp(-104.0f) == 0);
  CHECK(math::exp(0.0f) == 1);
  CHECK(math::exp(tiny) == 1);
  for (float sign : {1.0f, -1.0f}) {
    CHECK(math::tanh(sign * infinity) == sign);
    CHECK(math::erf(sign * infinity) == sign);
    CHECK(math::tanh(sign * 20) == sign);
    CHECK(math::erf(sign * 5) == sign);
    CHECK(math::tanh(sign * tiny) == sign * tiny);
    CHECK(std::abs(math::erf(sign * tiny) - sign * tiny) <= tiny);
    CHECK(std::signbit(math::tanh(sign * 0.0f)) == (sign < 0));
    CHECK(std::signbit(math::erf(sign * 0.0f)) == (sign < 0));
  }
  CHECK(math::sigmoid(infinity) == 1);
  CHECK(math::sigmoid(-infinity) == 0);
  CHECK(math::sigmoid(0.0f) == 0.5f);
}

TEST_CASE("tanh and erf are odd and never leave [-1, 1]") {
  bool odd = true, inside = true;
  for_floats([&](float x) {
    odd &= math::tanh(-x) == -math::tanh(x) && math::erf(-x) == -math::erf(x);
    inside &= std::abs(math::tanh(x)) <= 1 && std::abs(math::erf(x)) <= 1;
  });
  CHECK(odd);
  CHECK(inside);
}

TEST_CASE("sin and cos keep their error where a float tells angles apart, and stay in [-1, 1] everywhere") {
  worst of_sin, of_cos;
  bool inside = true;
  for_floats([&](float x) {
    inside &= std::abs(math::sin(x)) <= 1 && std::abs(math::cos(x)) <= 1;
    if (std::abs(x) > 1e6f) return;
    of_sin.see(std::abs(double(math::sin(x)) - std::sin(double(x))), x);
    of_cos.see(std::abs(double(math::cos(x)) - std::cos(double(x))), x);
  });
  CHECK(inside);
  CAPTURE(of_sin.at);
  CHECK(of_sin.error <= 1e-7);
  CHECK(of_sin.error > 0);
  CAPTURE(of_cos.at);
  CHECK(of_cos.error <= 1e-7);
  CHECK(of_cos.error > 0);
  CHECK(math::sin(0.0f) == 0);
  CHECK(math::cos(0.0f) == 1);
  CHECK(std::isnan(math::sin(infinity)));
  CHECK(std::isnan(math::cos(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("double functions are those of the standard library") {
  for (double x : {-30.0, -1.5, -1e-9, 0.0, 0.3, 2.0, 700.0}) {
    CHECK(math::exp(x) == std::exp(x));
    CHECK(math::log(x * x + 1) == std::log(x * x + 1));
    CHECK(math::tanh(x) == std::tanh(x));
    CHECK(math::erf(x) == std::erf(x));
    CHECK(math::sin(x) == std::sin(x));
    CHECK(math::cos(x) == std::cos(x));
    CHECK(math::sigmoid(x) == 1 / (1 + std::exp(-x)));
  }
}

TEST_CASE("a vectorised loop gives what a call gives") {
  std::vector<float> x(1001), y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = float(i) * 0.2f - 100;
  const auto same = [&](auto f) {
    bool close = true;
#pragma omp simd
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = f(x[i]);
    // Contraction into multiply-adds may differ between the two, by a unit in the last place or two.
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float want = f(x[i]);
      close &= y[i] == want || std::abs(y[i] - want) <= 3e-7f * std::abs(want);
    }
    return close;
  };
  CHECK(same(exp_of));
  CHECK(same(tanh_of));
  CHECK(same(erf_of));
  CHECK(same(sin_of));
  CHECK(same(cos_of));
  CHECK(same(sigmoid_of));
  for (float& v : x) v = v * v + 0.5f;
  CHECK(same(log_of));
}
