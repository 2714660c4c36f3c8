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

TEST_CASE("the bootstrap of groups counts each alike and draws within it") {
  // One large group that does not vary, and a small one that does: its variance over 4, whatever the sizes.
  std::vector<std::vector<double>> groups{std::vector<double>(900, 1.0), {}};
  for (int i = 0; i < 100; ++i) groups[1].push_back(i % 2 ? 2.0 : 0.0);
  const interval found = grouped_bootstrap(groups);
  const double half = normal_95 * std::sqrt(1.0 / 100) / 2;
  CHECK(found.low == doctest::Approx(1 - half).epsilon(0.02));
  CHECK(found.high == doctest::Approx(1 + half).epsilon(0.02));
  groups.emplace_back();
  CHECK_THROWS_AS(grouped_bootstrap(groups), value_error);
  CHECK_THROWS_AS(grouped_bootstrap({}), value_error);
}

TEST_CASE("the paired bootstrap refuses what it cannot resample") {
  const std::vector<double> two{1, 2}, three{1, 2, 3}, none;
  CHECK_THROWS_AS(paired_bootstrap(two, three), value_error);
  CHECK_THROWS_AS(paired_bootstrap(none, none), value_error);
  CHECK_THROWS_AS(paired_bootstrap(two, two, 0), value_error);
  CHECK_THROWS_AS(paired_bootstrap(two, two, 10, 1), value_error);
}

TEST_CASE("the interval of a mean over seeds is Student's") {
  const std::vector<double> three{1, 2, 6};  // mean 3, deviation sqrt(7), t 4.3027
  const interval found = mean_interval(three);
  CHECK(found.low == doctest::Approx(3 - 4.302652729749462 * std::sqrt(7. / 3)));
  CHECK(found.high == doctest::Approx(3 + 4.302652729749462 * std::sqrt(7. / 3)));
  CHECK(std::isinf(mean_interval(std::vector<double>{1}).high));
  const std::vector<double> many(100, 5.0);
  CHECK(mean_interval(many).low == doctest::Approx(5));
  CHECK_THROWS_AS(mean_interval({}), value_error);
}

TEST_CASE("McNemar, Wilson and the paired bootstrap, as SciPy 1.17.1 has them") {
  struct split {
    index_t first, second;
    double p;
  };
  for (const auto& [first, second, p] :  // stats.binomtest(first, first + second, 0.5).pvalue
       {split{1, 0, 1}, split{3, 12, 0.03515625}, split{7, 9, 0.803619384765625}, split{40, 62, 0.037066767438560584},
        split{150, 211, 0.0015534937395615548}})
    CHECK(mcnemar_exact(first, second) == doctest::Approx(p).epsilon(1e-10));
  struct share {
    index_t hits, count;
    double low, high;
  };
  for (const auto& [hits, count, low, high] :  // stats.binomtest(hits, count).proportion_ci(0.95, "wilson")
       {share{0, 10, 0, 0.27753279986288926}, share{3, 10, 0.10779126740630102, 0.6032218525388546},
        share{10, 10, 0.7224672001371109, 1}, share{1, 104, 0.0016993728496512532, 0.052467724707945806},
        share{389, 400, 0.9514345181143852, 0.9845763637396046}}) {
    CHECK(wilson(hits, count).low == doctest::Approx(low).epsilon(1e-10));
    CHECK(wilson(hits, count).high == doctest::Approx(high).epsilon(1e-10));
  }
  // stats.bootstrap of the differences, method="percentile", 200,000 resamples; ours are 200,000 others.
  std::vector<double> first, second;
  for (int i = 0; i < 120; ++i) {
    first.push_back((i * 7 % 10) / 10.);
    second.push_back(first.back() + (i % 3 == 0 ? 0.5 : i % 5 == 0 ? -1.0 : 0.25));
  }
  const interval resampled = paired_bootstrap(first, second, 200000);
  CHECK(std::abs(resampled.low - 0.07916666666666666) < 0.002);
  CHECK(std::abs(resampled.high - 0.24791666666666667) < 0.002);
}

// Reference values are SciPy 1.17.1's: stats.t.cdf, stats.t.ppf, ttest_1samp with alternative= greater and less.
TEST_CASE("Student's distribution and its quantiles") {
  const struct {
    double t;
    index_t degrees;
    double p;
  } known[] = {{0.5, 1, 0.6475836176504333},     {2.0, 1, 0.8524163823495667},  {-1.3, 2, 0.16162351590802015},
               {2.5, 3, 0.9561466764959672},     {0.1, 4, 0.5374220795302733},  {3.2, 7, 0.9924670943287554},
               {-2.2, 30, 0.017824219998417892}, {1.0, 101, 0.840149841111709}, {8.0, 5, 0.9997535466697138}};
  for (const auto& each : known) {
    CHECK(student_cdf(each.t, each.degrees) == doctest::Approx(each.p).epsilon(1e-12));
    CHECK(student_quantile(each.p, each.degrees) == doctest::Approx(each.t).epsilon(1e-9));
  }
  CHECK(student_quantile(0.975, 1) == doctest::Approx(12.706204736174694).epsilon(1e-12));
  CHECK(student_quantile(0.95, 4) == doctest::Approx(2.1318467863266495).epsilon(1e-12));
  CHECK(student_quantile(0.995, 40) == doctest::Approx(2.7044592674331622).epsilon(1e-12));
  CHECK(student_quantile(0.05, 3) == doctest::Approx(-2.353363434801824).epsilon(1e-12));
  const interval accuracies = mean_interval(std::vector<double>{0.91, 0.87, 0.93});
  CHECK(accuracies.low == doctest::Approx(0.827441672661398).epsilon(1e-12));
  CHECK(accuracies.high == doctest::Approx(0.9792249940052686).epsilon(1e-12));
  CHECK_THROWS_AS(student_cdf(1, 0), value_error);
  CHECK_THROWS_AS(student_quantile(1, 3), value_error);
}

TEST_CASE("equivalence within a margin is two one-sided tests") {
  const std::vector<double> differences{0.4, -0.2, 0.1, 0.7, -0.1};
  CHECK(equivalence(differences, 1.0) == doctest::Approx(0.0038701029348825813).epsilon(1e-10));
  CHECK(equivalence(differences, 0.5) == doctest::Approx(0.06267730426721921).epsilon(1e-10));
  CHECK(equivalence(differences, 0.2) == doctest::Approx(0.4548281185578041).epsilon(1e-10));
  CHECK(mean_test(differences) == doctest::Approx(0.33798918769043074).epsilon(1e-10));  // ttest_1samp(differences, 0)
  CHECK(mean_test(std::vector<double>{1}) == 1);
  CHECK(mean_test(std::vector<double>{1, 1}) == 1);
  CHECK(mean_test(std::vector<double>{0, 0}) == 1);
  CHECK(equivalence(std::vector<double>{0.1}, 1) == 1);
  CHECK(equivalence(std::vector<double>{0.1, 0.1}, 1) == 1);
  CHECK(equivalence(std::vector<double>{2, 2}, 1) == 1);
  CHECK_THROWS_AS(equivalence(differences, 0), value_error);
}

TEST_CASE("Holm's adjustment holds a family of tests") {
  const std::vector<double> adjusted = holm(std::vector<double>{0.01, 0.04, 0.03, 0.005, 0.5});
  const double expected[] = {0.04, 0.09, 0.09, 0.025, 0.5};
  REQUIRE(adjusted.size() == 5);
  for (int i = 0; i < 5; ++i) CHECK(adjusted[std::size_t(i)] == doctest::Approx(expected[i]).epsilon(1e-12));
  CHECK(holm(std::vector<double>{0.7, 0.6}) == std::vector<double>{1, 1});
  CHECK(holm({}).empty());
  CHECK_THROWS_AS(holm(std::vector<double>{1.5}), value_error);
}
