#include "mor1e/eval/statistics.hpp"

#include <cmath>
#include <vector>

#include "doctest/doctest.h"
#include "mor1e/core/error.hpp"

using namespace mor1e;
using namespace mor1e::eval;

TEST_CASE("wilson intervals of published tables") {
  struct row {
    index_t hits, count;
    double low, high;
  };
  // Per cent, rounded as printed.
  for (const row& r : {row{16, 60, 17, 39}, row{42, 60, 57, 80}, row{0, 60, 0, 6}, row{60, 60, 94, 100},
                       row{59, 60, 91, 100}, row{29, 60, 36, 61}}) {
    const interval found = wilson(r.hits, r.count);
    CHECK(std::round(100 * found.low) == r.low);
    CHECK(std::round(100 * found.high) == r.high);
  }
  // Newcombe (1998), table I, method 3: 81 of 263.
  CHECK(wilson(81, 263).low == doctest::Approx(0.2553).epsilon(2e-4));
  CHECK(wilson(81, 263).high == doctest::Approx(0.3662).epsilon(2e-4));
}

TEST_CASE("wilson at its ends") {
  CHECK(wilson(0, 10).low == 0);
  CHECK(wilson(10, 10).high == 1);
  CHECK(wilson(0, 0).low == 0);
  CHECK(wilson(0, 0).high == 1);
  CHECK_THROWS_AS(wilson(3, 2), value_error);
  CHECK_THROWS_AS(wilson(-1, 2), value_error);
}

TEST_CASE("both wilson bounds solve the score equation") {
  for (index_t hits : {1, 7, 30, 49}) {
    const interval found = wilson(hits, 50);
    for (double p : {found.low, found.high})
      CHECK(std::abs(p - double(hits) / 50) == doctest::Approx(normal_95 * std::sqrt(p * (1 - p) / 50)).epsilon(1e-9));
  }
}

TEST_CASE("exact McNemar p-values") {
  CHECK(mcnemar_exact(0, 1) == doctest::Approx(1));
  CHECK(mcnemar_exact(0, 5) == doctest::Approx(2 / 32.));
  CHECK(mcnemar_exact(1, 5) == doctest::Approx(2 * (1 + 6) / 64.));
  CHECK(mcnemar_exact(5, 1) == mcnemar_exact(1, 5));
  CHECK(mcnemar_exact(0, 0) == 1);
  CHECK(mcnemar_exact(8, 8) == 1);
  CHECK(mcnemar_exact(22, 18) == doctest::Approx(0.64).epsilon(0.01));
  CHECK(mcnemar_exact(28, 9) == doctest::Approx(0.003).epsilon(0.1));
  CHECK(mcnemar_exact(36, 21) == doctest::Approx(0.063).epsilon(0.01));
  CHECK(mcnemar_exact(20, 8) == doctest::Approx(0.036).epsilon(0.02));
  CHECK(mcnemar_exact(60, 15) == doctest::Approx(2e-7).epsilon(0.25));
  // 2^-3000 is no double; the normal approximation with continuity correction is good here.
  CHECK(mcnemar_exact(1550, 1450) == doctest::Approx(std::erfc(99 / std::sqrt(3000.) / std::sqrt(2.))).epsilon(0.01));
  CHECK_THROWS_AS(mcnemar_exact(-1, 2), value_error);
}

TEST_CASE("the paired bootstrap agrees with the normal interval of a mean, and uses the pairing") {
  std::vector<double> first(400), second(400);
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] = double(i % 100);  // a large spread shared by both: it must cancel
    second[i] = first[i] + (i % 4 == 0 ? 1 : 0);
  }
  const interval found = paired_bootstrap(first, second);
  const double half = normal_95 * std::sqrt(0.25 * 0.75 / 400);
  CHECK(found.low == doctest::Approx(0.25 - half).epsilon(0.03));
  CHECK(found.high == doctest::Approx(0.25 + half).epsilon(0.03));
  const interval again = paired_bootstrap(first, second);
  CHECK(found.low == again.low);
  CHECK(found.high == again.high);
  CHECK(paired_bootstrap(first, second, 10000, 0.5).low > found.low);
}

TEST_CASE("the paired bootstrap refuses what it cannot resample") {
  const std::vector<double> two{1, 2}, three{1, 2, 3}, none;
  CHECK_THROWS_AS(paired_bootstrap(two, three), value_error);
  CHECK_THROWS_AS(paired_bootstrap(none, none), value_error);
  CHECK_THROWS_AS(paired_bootstrap(two, two, 0), value_error);
  CHECK_THROWS_AS(paired_bootstrap(two, two, 10, 1), value_error);
}

TEST_CASE("the interval of a mean over seeds is Student's") {
  const std::vector<double> three{1, 2, 6};  // mean 3, deviation sqrt(7), t 4.303
  const interval found = mean_interval(three);
  CHECK(found.low == doctest::Approx(3 - 4.303 * std::sqrt(7. / 3)));
  CHECK(found.high == doctest::Approx(3 + 4.303 * std::sqrt(7. / 3)));
  CHECK(std::isinf(mean_interval(std::vector<double>{1}).high));
  const std::vector<double> many(100, 5.0);
  CHECK(mean_interval(many).low == doctest::Approx(5));
  CHECK_THROWS_AS(mean_interval({}), value_error);
}
