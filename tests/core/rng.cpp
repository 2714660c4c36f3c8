#include "mor1e/core/rng.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "doctest/doctest.h"

using namespace mor1e;

TEST_CASE("philox4x32-10 gives the published known answers") {
  static_assert(philox(0, {}) == philox_block{{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}});
  static_assert(philox(~std::uint64_t(0), {{~0u, ~0u, ~0u, ~0u}}) ==
                philox_block{{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}});
  // Key and counter from the digits of pi.
  static_assert(philox(0x299f31d0a4093822u, {{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}}) ==
                philox_block{{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}});
  CHECK(philox(0, {}) == philox_block{{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}});
}

TEST_CASE("uniform numbers stay below one even for the largest bits") {
  static_assert(detail::unit_interval<float>(~std::uint64_t(0)) == 1 - 0x1p-24f);
  static_assert(detail::unit_interval<double>(~std::uint64_t(0)) == 1 - 0x1p-53);
  static_assert(detail::unit_interval<float>(0) == 0);
  double sum = 0, squares = 0;
  const int count = 100000;
  for (int i = 0; i < count; ++i) {
    const double u = uniform<double>(7, std::uint64_t(i));
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    CHECK(std::abs(uniform<float>(7, std::uint64_t(i)) - u) <= 0x1p-24);
    sum += u;
    squares += u * u;
  }
  // Five standard errors: sqrt(1/12 / n) and sqrt(4/45 / n).
  CHECK(std::abs(sum / count - 0.5) < 5 * 0.0009129);
  CHECK(std::abs(squares / count - 1. / 3) < 5 * 0.000943);
}

TEST_CASE("a stream key depends on every id and on their order, and folds step by step") {
  CHECK(stream_key(1, 2, 3) == stream_key(stream_key(1, 2), 3));
  CHECK(stream_key(1, 2, 3) != stream_key(1, 3, 2));
  CHECK(stream_key(1, 2, 3) != stream_key(1, 2, 4));
  CHECK(stream_key(1, 2, 3) != stream_key(2, 2, 3));
  CHECK(stream_key(1, 0) != stream_key(1));
  // A key and a draw at the same position come from different blocks.
  CHECK(detail::unit_interval<double>(stream_key(5, 9)) != uniform<double>(5, 9));
}

TEST_CASE("a saved generator continues where it stopped") {
  rng first(42);
  for (int i = 0; i < 5; ++i) first.uniform();
  first.normal();
  const rng::state saved = first.saved();
  CHECK(saved == rng::state{42, 6});
  rng second(saved);
  for (int i = 0; i < 20; ++i) CHECK(first.bits() == second.bits());
  CHECK(rng(42).bits() != rng(43).bits());
}

TEST_CASE("below is uniform over small counts and keeps its bound for large ones") {
  rng random(3);
  std::vector<int> hits(7);
  const int count = 70000;
  for (int i = 0; i < count; ++i) ++hits[random.below(7)];
  double chi_squared = 0;
  for (int h : hits) chi_squared += (h - 10000.) * (h - 10000.) / 10000;
  CHECK(chi_squared < 22.46);  // 6 degrees of freedom, p = 0.001
  for (int i = 0; i < 100; ++i) CHECK(random.below(1) == 0);
  CHECK_THROWS_AS(random.below(0), value_error);

  // Three quarters of 2^64: a plain remainder would put the lower third there with probability 1/2, not 1/3.
  const std::uint64_t large = std::uint64_t(3) << 62;
  int low = 0;
  for (int i = 0; i < 9000; ++i) {
    const std::uint64_t drawn = random.below(large);
    REQUIRE(drawn < large);
    low += drawn < large / 3;
  }
  CHECK(std::abs(low - 3000) < 5 * 45);
}

TEST_CASE("normal numbers have the moments of a standard normal") {
  rng random(11);
  double sums[5] = {};
  const int count = 200000;
  for (int i = 0; i < count; ++i) {
    const double x = random.normal();
    REQUIRE(std::isfinite(x));
    for (int k = 1; k < 5; ++k) sums[k] += std::pow(x, k);
  }
  const double error = 5 / std::sqrt(double(count));
  CHECK(std::abs(sums[1] / count) < error);
  CHECK(std::abs(sums[2] / count - 1) < error * std::sqrt(2.));
  CHECK(std::abs(sums[3] / count) < error * std::sqrt(15.));
  CHECK(std::abs(sums[4] / count - 3) < error * std::sqrt(96.));
}

TEST_CASE("shuffle permutes, and every order of three comes equally often") {
  std::vector<int> many(100);
  std::iota(many.begin(), many.end(), 0);
  std::vector<int> mixed = many;
  rng random(1);
  random.shuffle(mixed);
  CHECK(mixed != many);
  std::sort(mixed.begin(), mixed.end());
  CHECK(mixed == many);

  std::vector<int> hits(27);
  for (int i = 0; i < 6000; ++i) {
    int three[] = {0, 1, 2};
    random.shuffle(three);
    ++hits[three[0] * 9 + three[1] * 3 + three[2]];
  }
  for (int code : {5, 7, 11, 15, 19, 21}) CHECK(std::abs(hits[code] - 1000) < 150);
}
