// Properties of seeding, Lloyd's iteration and restarts.
#include "mor1e/cluster/kmeans.hpp"

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"

using namespace mor1e;
using namespace mor1e::cluster;

namespace {

/// `count` points around each of `centers` random places.
template <class T>
tensor<T> blobs(index_t centers, index_t count, index_t d, double spread, std::uint64_t seed) {
  rng random(seed);
  tensor<T> places({centers, d}), points({centers * count, d});
  for (T& value : places) value = T(random.normal());
  for (index_t i = 0; i < points.size(); ++i)
    points[i] = places[(i / d) % centers * d + i % d] + T(spread * random.normal());
  return points;
}

template <class T>
tensor<T> rows_of(std::vector<std::vector<T>> rows) {
  tensor<T> out({index_t(rows.size()), index_t(rows[0].size())});
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy(rows[i].begin(), rows[i].end(), out.data() + i * rows[0].size());
  return out;
}

template <class T>
bool same_bits(const tensor<T>& a, const tensor<T>& b) {
  return a.extents() == b.extents() && std::equal(a.begin(), a.end(), b.begin());
}

template <class T, class B>
tensor<std::int64_t> labels_of(B& device, const tensor<T>& points, const tensor<T>& centroids) {
  point_set<T, B> set(device, points);
  set.assign(centroids);
  return set.labels();
}

std::string message(auto&& call) {
  try {
    call();
  } catch (const error& e) {
    return e.what();
  }
  return "nothing thrown";
}

}  // namespace

TEST_CASE_TEMPLATE("seeds are points of the data, all different", T, float, double) {
  cpu device(2);
  const auto points = blobs<T>(5, 400, 9, 0.5, 1);
  std::set<std::vector<T>> all, chosen;
  for (index_t i = 0; i < points.extents()[0]; ++i) all.emplace(points.data() + 9 * i, points.data() + 9 * (i + 1));
  const auto seeds = kmeans_plus_plus<T>(device, points, 20, 3);
  REQUIRE(seeds.extents() == shape({20, 9}));
  for (index_t j = 0; j < 20; ++j) {
    chosen.emplace(seeds.data() + 9 * j, seeds.data() + 9 * (j + 1));
    CHECK(all.contains({seeds.data() + 9 * j, seeds.data() + 9 * (j + 1)}));
  }
  CHECK(chosen.size() == 20);
}

TEST_CASE_TEMPLATE("seeds find every distinct point before repeating one, far from the origin too", T, float, double) {
  // Around 1000, |x|^2 - 2 x.c + |c|^2 in float is off by more than the distances.
  rng random(4);
  tensor<T> distinct({12, 7}), points({600, 7});
  for (T& value : distinct) value = T(1000 + random.uniform());
  for (index_t i = 0; i < points.size(); ++i) points[i] = distinct[i % distinct.size()];
  cpu device(2);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto seeds = kmeans_plus_plus<T>(device, points, 12, seed);
    std::set<std::vector<T>> chosen;
    for (index_t j = 0; j < 12; ++j) chosen.emplace(seeds.data() + 7 * j, seeds.data() + 7 * (j + 1));
    CHECK(chosen.size() == 12);
  }
}

TEST_CASE("seeding finds well separated clusters") {
  // A uniform draw of 8 seeds from 8 equal clusters hits all of them once in 400 times.
  reference device;
  const auto points = blobs<double>(8, 50, 16, 0.01, 5);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto seeds = kmeans_plus_plus<double>(device, points, 8, seed);
    const auto result = lloyd<double>(device, points, seeds, 1);
    CHECK(result.inertia < 400 * 16 * 0.0002);
  }
}

TEST_CASE("candidates are drawn in proportion to the squared distance") {
  // One point far away, 99 in one place but for one: the greedy choice among three takes the far one almost always,
  // and nothing at distance 0 ever.
  tensor<double> points({100, 1}, 0.0);
  points[98] = 1;
  points[99] = 3;
  reference device;
  int far = 0, runs = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const auto seeds = kmeans_plus_plus<double>(device, points, 2, seed);
    if (seeds[0] != 0) continue;
    ++runs;
    far += seeds[1] == 3;
    CHECK(seeds[1] != 0);
  }
  // Two trials for k = 2: the far point is missed with probability (1/10)^2.
  CHECK(runs > 370);
  CHECK(far > 0.96 * runs);
  CHECK(far < runs);
}

TEST_CASE("the same seed gives the same result, another one another") {
  cpu device(2);
  const auto points = blobs<float>(6, 200, 8, 1.0, 6);
  const auto a = kmeans<float>(device, points, {.clusters = 7, .seed = 11});
  const auto b = kmeans<float>(device, points, {.clusters = 7, .seed = 11});
  const auto c = kmeans<float>(device, points, {.clusters = 7, .seed = 12});
  CHECK(same_bits(a.centroids, b.centroids));
  CHECK(same_bits(a.labels, b.labels));
  CHECK(a.inertia == b.inertia);
  CHECK_FALSE(same_bits(a.centroids, c.centroids));
}

TEST_CASE_TEMPLATE("the number of threads changes no bit", T, float, double) {
  const auto points = blobs<T>(10, 333, 37, 1.0, 7);
  cpu one(1);
  const auto single = kmeans<T>(one, points, {.clusters = 9, .seed = 2, .restarts = 2});
  CHECK(single.iterations > 3);
  for (const int threads : {2, 3, 5}) {
    CAPTURE(threads);
    cpu device(threads);
    const auto many = kmeans<T>(device, points, {.clusters = 9, .seed = 2, .restarts = 2});
    CHECK(same_bits(single.centroids, many.centroids));
    CHECK(same_bits(single.labels, many.labels));
    CHECK(single.inertia == many.inertia);
    CHECK(single.iterations == many.iterations);
  }
}

TEST_CASE("labels are those of distances in double, whatever multiplies") {
  auto points = blobs<float>(6, 100, 24, 0.5, 8);
  SUBCASE("shifted by 500: the product's rounding error in float is larger than the distances") {
    for (float& value : points) value += 500;
  }
  SUBCASE("scaled by 2e-23: the product has a few bits left") {
    for (float& value : points) value *= 2e-23f;
  }
  SUBCASE("scaled by 1e-30: the product is zero") {
    for (float& value : points) value *= 1e-30f;
  }
  tensor<float> centroids({6, 24});
  std::copy_n(points.data(), centroids.size(), centroids.data());
  tensor<std::int64_t> direct({600});
  for (index_t i = 0; i < 600; ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (index_t j = 0; j < 6; ++j) {
      double distance = 0;
      for (index_t c = 0; c < 24; ++c) {
        const double difference = double(points[i * 24 + c]) - double(centroids[j * 24 + c]);
        distance += difference * difference;
      }
      if (distance < least) least = distance, direct[i] = j;
    }
  }
  cpu device(2);
  CHECK(labels_of(device, points, centroids) == direct);
  reference plain;
  CHECK(labels_of(plain, points, centroids) == direct);
}

TEST_CASE_TEMPLATE("ties go to the lowest cluster, wherever equal centroids stand", T, float, double) {
  cpu device(1);
  const auto points = blobs<T>(3, 40, 13, 1.0, 9);
  for (const index_t k : {2, 5, 17, 33, 50}) {
    tensor<T> centroids({k, 13});
    for (index_t i = 0; i < centroids.size(); ++i)
      centroids[i] = points[i % 26];  // two different rows, again and again
    for (const auto label : labels_of(device, points, centroids)) CHECK(label < 2);
  }
}

TEST_CASE("an iteration limit leaves labels that fit the centroids") {
  cpu device(1);
  const auto points = blobs<double>(6, 100, 5, 1.5, 10);
  auto start = tensor<double>({6, 5});
  std::copy_n(points.data(), start.size(), start.data());
  const auto full = lloyd<double>(device, points, start);
  REQUIRE(full.iterations > 3);
  CHECK(full.converged);
  const auto cut = lloyd<double>(device, points, start, 2);
  CHECK(cut.iterations == 2);
  CHECK_FALSE(cut.converged);
  CHECK(same_bits(labels_of(device, points, cut.centroids), cut.labels));
  // Going on from where it stopped ends where the uncut run ends.
  const auto rest = lloyd<double>(device, points, cut.centroids);
  CHECK(same_bits(rest.centroids, full.centroids));
  CHECK(rest.inertia == full.inertia);
}

TEST_CASE("empty clusters take the farthest points, the farthest first") {
  reference device;
  const auto points = rows_of<double>({{0}, {1}, {2}, {10}, {20}});
  // All points are nearest to centroid 1; 20 is the farthest, then 10.
  const auto once = lloyd<double>(device, points, rows_of<double>({{500}, {1}, {900}}), 1);
  CHECK(once.centroids[0] == 20);
  CHECK(once.centroids[1] == 1);  // the mean of 0, 1, 2: the taken points have left it
  CHECK(once.centroids[2] == 10);
  CHECK(once.empty == 0);
}

TEST_CASE("sums are exact: in any order, and with points taken out again") {
  rng random(3);
  tensor<float> points({1000, 5});
  for (float& value : points) value = float(random.normal() * std::pow(10.0, random.uniform() * 6 - 3));
  const auto sums_of = [&](int threads, std::initializer_list<index_t> firsts) {
    cpu device(threads);
    cluster::point_set<float, cpu> set(device, std::as_const(points).matrix());
    tensor<double> sums;
    tensor<std::int64_t> counts;
    for (const index_t first : firsts)
      set.assign_and_sum(std::as_const(points).matrix().row_range(first, 7), sums, counts);
    for (const double value : counts) CHECK(value > 0);
    return sums;
  };
  const auto once = sums_of(1, {40});
  CHECK(once == sums_of(3, {40}));
  CHECK(once == sums_of(2, {0, 900, 40}));
  CHECK(once != sums_of(1, {0}));
}

TEST_CASE("a point set may be assigned to other numbers of centroids in between") {
  cpu device(2);
  const auto points = blobs<float>(9, 40, 4, 1.0, 5);
  const auto first = [&](index_t k) { return std::as_const(points).matrix().row_range(0, k); };
  cluster::point_set<float, cpu> set(device, std::as_const(points).matrix()),
      fresh(device, std::as_const(points).matrix());
  tensor<double> sums, expected;
  tensor<std::int64_t> counts;
  set.assign_and_sum(first(5), sums, counts);
  set.assign(first(8));
  set.assign_and_sum(first(5), sums, counts);
  fresh.assign_and_sum(first(5), expected, counts);
  CHECK(sums == expected);
}

TEST_CASE("small terms of a product beside a long centroid decide") {
  tensor<float> centroids({2, 64}, 1.0f), points({2, 64}, 0.03f);
  for (index_t c = 1; c < 64; ++c) centroids[c] = -1;
  centroids[0] = 1023.998f, centroids[64] = 1024, points[0] = points[64] = 0;
  cpu device(1);
  reference plain;
  const auto label = [&]<class B>(B& on) {
    cluster::point_set<float, B> set(on, std::as_const(points).matrix());
    set.assign(std::as_const(centroids).matrix());
    return set.labels()[0];
  };
  CHECK(label(plain) == 1);
  CHECK(label(device) == 1);
}

TEST_CASE("points of very different sizes keep their places in sums") {
  cpu device(2);
  tensor<float> points({30, 2});
  for (index_t i = 0; i < 30; ++i) points[2 * i] = i % 2 ? 1 : -1, points[2 * i + 1] = i % 2 ? 1e-9f : 3e-9f;
  const auto few = kmeans<float>(device, points, {.clusters = 3});
  CHECK(few.converged);
  CHECK(few.inertia == 0);

  points[0] = 1e12f;
  const auto far = kmeans<float>(device, points, {.clusters = 3, .restarts = 3});
  CHECK(far.inertia == 0);
}

TEST_CASE("fewer distinct points than clusters leave clusters empty") {
  cpu device(2);
  tensor<float> points({30, 3});
  for (index_t i = 0; i < 30; ++i)
    for (index_t c = 0; c < 3; ++c) points[3 * i + c] = float(i % 2 ? c : 5);
  const auto result = kmeans<float>(device, points, {.clusters = 4});
  CHECK(result.converged);
  CHECK(result.inertia == 0);
  CHECK(result.empty == 2);
  const std::set<std::int64_t> used(result.labels.begin(), result.labels.end());
  CHECK(used.size() == 2);

  const auto given = lloyd<double>(device, rows_of<double>({{0}, {0}, {5}, {5}}), rows_of<double>({{0}, {100}, {5}}));
  CHECK(given.empty == 1);
  CHECK(given.centroids[1] == 100);
}

TEST_CASE("as many clusters as points, and one cluster") {
  cpu device(1);
  const auto points = blobs<double>(4, 5, 3, 1.0, 11);
  const auto each = kmeans<double>(device, points, {.clusters = 20});
  CHECK(each.inertia == 0);
  CHECK(std::set<std::int64_t>(each.labels.begin(), each.labels.end()).size() == 20);
  const auto one = kmeans<double>(device, points, {.clusters = 1});
  for (index_t c = 0; c < 3; ++c) {
    double mean = 0;
    for (index_t i = 0; i < 20; ++i) mean += points[3 * i + c] / 20;
    CHECK(one.centroids[c] == doctest::Approx(mean).epsilon(1e-12));
  }
}

TEST_CASE("the best of the restarts is kept") {
  cpu device(1);
  const auto points = blobs<float>(12, 60, 4, 0.6, 12);
  const auto result = kmeans<float>(device, points, {.clusters = 12, .seed = 1, .restarts = 8});
  REQUIRE(result.restarts.size() == 8);
  std::set<double> inertias;
  for (const auto& run : result.restarts) {
    CHECK(result.inertia <= run.inertia);
    inertias.insert(run.inertia);
  }
  CHECK(inertias.size() > 1);
  CHECK(*inertias.begin() == result.inertia);
  // The first of them is the run without restarts.
  const auto single = kmeans<float>(device, points, {.clusters = 12, .seed = 1});
  CHECK(single.inertia == result.restarts[0].inertia);
}

TEST_CASE("bad arguments are refused by number") {
  cpu device(1);
  auto points = blobs<float>(2, 5, 3, 1.0, 13);
  const auto cluster = [&](kmeans_options options) { return message([&] { kmeans<float>(device, points, options); }); };
  CHECK(cluster({.clusters = 11}) == "kmeans: 11 clusters of 10 points");
  CHECK(cluster({.clusters = 0}) == "kmeans: 0 clusters; there must be one at least");
  CHECK(cluster({.clusters = 2, .restarts = 0}) == "kmeans: 0 restarts; there must be one at least");
  CHECK(cluster({.clusters = 2, .max_iterations = 0}) == "kmeans: 0 iterations; there must be one at least");
  CHECK_THROWS_AS(lloyd<float>(device, points, tensor<float>({2, 4}, 0.f)), shape_error);
  CHECK_THROWS_AS(lloyd<float>(device, points, tensor<float>({11, 3}, 0.f)), value_error);
  CHECK(message([&] {
          lloyd<float>(device, points, rows_of<float>({{0, 0, 0}, {0, NAN, 0}}));
        }).starts_with("kmeans: centroid of row 1 holds a NaN"));
  points[3 * 7 + 1] = NAN;
  CHECK(cluster({.clusters = 2}).starts_with("kmeans: point of row 7 holds a NaN or an infinity"));
  points[3 * 7 + 1] = -INFINITY;
  CHECK(cluster({.clusters = 2}).starts_with("kmeans: point of row 7 holds a NaN or an infinity"));
  points[3 * 7 + 1] = 1e20f;
  CHECK(cluster({.clusters = 2}).starts_with("kmeans: point of row 7 is too long for its type, squared length 1e+40"));
  CHECK_THROWS_AS(kmeans<float>(device, view<const float>(points.data(), 10, 0), {.clusters = 2}), shape_error);
}
