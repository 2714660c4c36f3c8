// Principal components, t-SNE and the agreement of labellings, held against scikit-learn 1.9.1 and NumPy 2.4.6.
#include "mor1e/cluster/embedding_map.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "doctest/doctest.h"
#include "mor1e/core/error.hpp"
#include "mor1e/core/rng.hpp"

using namespace mor1e;
using namespace mor1e::cluster;

namespace {

/// `count` points around each of `clusters` corners, which lie at `distance` along an axis each; point i is of cluster
/// i % clusters. A generator that a line of Python repeats, so that others can be given the same points.
tensor<float> corners(index_t clusters, index_t count, index_t d, double distance) {
  std::uint32_t state = 12345;
  tensor<float> out({clusters * count, d});
  for (index_t i = 0; i < clusters * count; ++i)
    for (index_t j = 0; j < d; ++j) {
      double sum = i % clusters == j ? distance : 0;
      for (int k = 0; k < 4; ++k) {
        state = 1664525u * state + 1013904223u;
        sum += double(state) / 4294967296.0 - 0.5;
      }
      out(i, j) = float(sum);
    }
  return out;
}

/// Points at +-length_j along each axis, the axes reflected at a random plane: the covariance has the eigenvalues
/// 2 length_j^2 / (2d - 1).
tensor<float> cross(const std::vector<double>& lengths) {
  const index_t d = index_t(lengths.size());
  rng random(3);
  std::vector<double> u(lengths.size());
  double square = 0;
  for (double& each : u) each = random.normal(), square += each * each;
  tensor<float> out({2 * d, d});
  for (index_t i = 0; i < d; ++i)
    for (index_t j = 0; j < d; ++j) {
      const double entry = lengths[i] * (double(i == j) - 2 * u[i] * u[j] / square);
      out(2 * i, j) = float(entry), out(2 * i + 1, j) = float(-entry);
    }
  return out;
}

/// Mean over the points of y_a y_b, as a covariance; the means of a map are 0.
double covariance(const tensor<double>& y, index_t a, index_t b) {
  double sum = 0;
  for (index_t i = 0; i < y.extents()[0]; ++i) sum += y(i, a) * y(i, b);
  return sum / double(y.extents()[0] - 1);
}

/// The share of points whose nearest neighbour on the map is of their cluster.
double kept_together(const tensor<double>& y, index_t clusters) {
  const index_t n = y.extents()[0];
  index_t kept = 0;
  for (index_t i = 0; i < n; ++i) {
    index_t nearest = -1;
    double least = std::numeric_limits<double>::infinity();
    for (index_t j = 0; j < n; ++j) {
      const double distance = std::hypot(y(i, 0) - y(j, 0), y(i, 1) - y(j, 1));
      if (j != i && distance < least) least = distance, nearest = j;
    }
    kept += nearest % clusters == i % clusters;
  }
  return double(kept) / double(n);
}

}  // namespace

// U, s, Vt = numpy.linalg.svd(X - X.mean(0)); (X - X.mean(0)) @ Vt.T[:, :2], the first column times -1 for its sign;
// s^2 / sum(s^2).
TEST_CASE("principal components are those of NumPy's singular value decomposition") {
  const tensor<float> points{{2.5f, 0.5f, -1, 3},   {0, 1.5f, 2, -1},     {1, -2, 0.5f, 0.25f},
                             {-3, 0.75f, 1.25f, 2}, {4, 1, -0.5f, -2.5f}, {-1.5f, -1.75f, 3, 0.5f},
                             {0.5f, 2.25f, -2, 1}};
  const double expected[][2] = {{1.6796461526917692, 2.3754412399081337},    {-0.4644414172549205, -1.3850126417143704},
                                {-0.12070242333102522, -1.1129634343439936}, {-3.484611881389809, 1.5128109759094694},
                                {4.213973027148606, -2.0835492048984143},    {-3.3267710150568854, -1.7065646174256814},
                                {1.5029075571922648, 2.3998376825648564}};
  const principal_map found = principal_components(points);
  REQUIRE(found.points.extents() == shape({7, 2}));
  for (index_t i = 0; i < 7; ++i)
    for (index_t axis = 0; axis < 2; ++axis)
      CHECK(found.points(i, axis) == doctest::Approx(expected[i][axis]).epsilon(1e-12));
  CHECK(found.explained[0] == doctest::Approx(0.5314913515504751).epsilon(1e-12));
  CHECK(found.explained[1] == doctest::Approx(0.2767960413392442).epsilon(1e-12));
}

TEST_CASE("principal components of eigenvalues that lie close, and of equal ones") {
  for (const double gap : {0.0, 1e-4, 1e-2}) {
    CAPTURE(gap);
    std::vector<double> lengths(120, 1.0);
    lengths[70] += 2 * gap, lengths[11] += gap;
    double trace = 0;
    for (const double each : lengths) trace += each * each;
    const principal_map found = principal_components(cross(lengths));
    // The points are rounded to float: 6e-8 of each, and less of their sum.
    for (index_t axis = 0; axis < 2; ++axis) {
      const double length = 1 + double(2 - axis) * gap;
      CHECK(found.explained[axis] == doctest::Approx(length * length / trace).epsilon(1e-6));
      CHECK(covariance(found.points, axis, axis) == doctest::Approx(2 * length * length / 239).epsilon(1e-6));
    }
    CHECK(std::abs(covariance(found.points, 0, 1)) < 1e-12);
    // With a gap the largest directions are the two axes that are longer.
    if (gap == 1e-2) {
      CHECK(std::abs(found.points(2 * 70, 0)) == doctest::Approx(1.02).epsilon(1e-4));
      CHECK(std::abs(found.points(2 * 11, 1)) == doctest::Approx(1.01).epsilon(1e-4));
      CHECK(std::abs(found.points(2 * 11, 0)) < 1e-3);
    }
  }
}

TEST_CASE("principal components where there are fewer directions than two, or points than columns") {
  tensor<float> wide({3, 200}, 0);
  for (index_t j = 0; j < 200; ++j) wide(1, j) = float(j % 7), wide(2, j) = float(j % 5);
  const principal_map plane = principal_components(wide);
  CHECK(plane.explained[0] + plane.explained[1] == doctest::Approx(1).epsilon(1e-12));

  const principal_map line = principal_components(tensor<float>{{1}, {2}, {6}});
  CHECK(line.points(0, 0) == doctest::Approx(-2));
  CHECK(line.points(2, 0) == doctest::Approx(3));
  CHECK(line.points(2, 1) == 0);
  CHECK(line.explained[0] == doctest::Approx(1));
  CHECK(line.explained[1] == 0);

  const principal_map point = principal_components(tensor<float>({4, 3}, 2.5f));
  CHECK(point.points == tensor<double>({4, 2}, 0));
  CHECK(point.explained[0] == 0);
}

TEST_CASE("every point has the perplexity asked for, whatever the size of the points") {
  thread_pool threads(2);
  for (const double size : {1e-6, 1.0, 1e6}) {
    CAPTURE(size);
    tensor<float> points = corners(3, 40, 5, 2);
    for (float& each : points) each *= float(size);
    points(7, 0) += float(50 * size);  // one far from all
    for (const double perplexity : {2.0, 30.0, 100.0}) {
      const tensor<double> p = neighbour_probabilities(threads, points, perplexity);
      for (index_t i = 0; i < 120; ++i) {
        double sum = 0, entropy = 0;
        for (index_t j = 0; j < 120; ++j) {
          sum += p(i, j);
          if (p(i, j) > 0) entropy -= p(i, j) * std::log(p(i, j));
        }
        CHECK(p(i, i) == 0);
        CHECK(sum == doctest::Approx(1).epsilon(1e-12));
        CHECK(std::exp(entropy) == doctest::Approx(perplexity).epsilon(1e-8));
      }
    }
  }
  // Four copies of each point: no perplexity below three can be reached, and they share.
  const tensor<float> copies{{0}, {0}, {0}, {0}, {1}, {1}, {1}, {1}};
  const tensor<double> p = neighbour_probabilities(threads, copies, 2);
  CHECK(p(0, 1) == doctest::Approx(1 / 3.));
  CHECK(p(0, 4) == doctest::Approx(0));
}

TEST_CASE("t-SNE keeps clusters apart that are apart") {
  thread_pool threads(1);
  const tsne_map found = tsne(threads, corners(4, 40, 6, 6));
  CHECK(kept_together(found.points, 4) >= 0.98);
  CHECK(std::abs(covariance(found.points, 0, 0)) > 1);  // spread, and not where it began
  double mean = 0;
  for (const double each : found.points) mean += each;
  CHECK(std::abs(mean) < 1e-9);
}

// Means of TSNE(method='exact', init='pca', perplexity=30, max_iter=750).fit(X).kl_divergence_ over the five X. The
// descent is chaotic: a change in the last digit of one number moves a single run of either program by up to 3 %, hence
// means, and 3 % of them.
TEST_CASE("t-SNE comes as low as scikit-learn's") {
  thread_pool threads(1);
  const struct {
    index_t clusters, count, d;
    double distance, divergence;
  } known[] = {{3, 60, 5, 2, 0.39376}, {5, 100, 8, 2, 0.79942}};
  for (const auto& each : known) {
    CAPTURE(each.divergence);
    double mean = 0;
    for (int run = 0; run < 5; ++run) {
      tensor<float> points = corners(each.clusters, each.count, each.d, each.distance);
      points[3] += 1e-6f * float(run);
      mean += tsne(threads, points).divergence / 5;
    }
    CHECK(mean == doctest::Approx(each.divergence).epsilon(0.03));
  }
}

TEST_CASE("the divergence of a map is that of its points, and the descent ends where the gradient does") {
  thread_pool threads(1);
  const tensor<float> points = corners(3, 20, 5, 2);
  const tsne_map found = tsne(threads, points, {.perplexity = 10, .iterations = 3000});
  const index_t n = 60;
  const tensor<double> p = neighbour_probabilities(threads, points, 10);
  const auto divergence = [&](const tensor<double>& y) {
    const auto closeness = [&](index_t i, index_t j) {
      return 1 / (1 + std::pow(y(i, 0) - y(j, 0), 2) + std::pow(y(i, 1) - y(j, 1), 2));
    };
    double total = 0, sum = 0;
    for (index_t i = 0; i < n; ++i)
      for (index_t j = 0; j < n; ++j) total += i == j ? 0 : closeness(i, j);
    for (index_t i = 0; i < n; ++i)
      for (index_t j = 0; j < n; ++j) {
        const double both = (p(i, j) + p(j, i)) / double(2 * n);
        if (both > 0) sum += both * std::log(both / (closeness(i, j) / total));
      }
    return sum;
  };
  CHECK(found.divergence == doctest::Approx(divergence(found.points)).epsilon(1e-10));
  // Central differences of the formula above, which knows nothing of the gradient that was followed.
  double steepest = 0;
  tensor<double> y = found.points.clone();
  for (double& each : y) {
    const double at = each, h = 1e-4;
    each = at + h;
    const double above = divergence(y);
    each = at - h;
    steepest = std::max(steepest, std::abs(above - divergence(y)) / (2 * h));
    each = at;
  }
  // Where it ends is reached slowly, and rounding chooses it: 1e-8 to 1e-5 was seen. A wrong gradient leaves 1e-3.
  CHECK(steepest < 5e-5);
}

// Steps so small that the gradient g stays: with gains 0.8, 1, 1.2 the motions are 0.8 g, (0.8 m + 1) g and
// (m (0.8 m + 1) + 1.2) g for a momentum m.
TEST_CASE("momentum and gains of t-SNE, and its rate") {
  thread_pool threads(1);
  const tensor<float> points = corners(3, 20, 5, 2);
  for (const int exaggerated : {0, 10}) {
    CAPTURE(exaggerated);
    const double momentum = exaggerated ? 0.5 : 0.8;
    const auto after = [&](int steps) {
      return tsne(threads, points,
                  {.perplexity = 10, .iterations = steps, .exaggerated = exaggerated, .learning_rate = 1e-5})
          .points;
    };
    const tensor<double> first = after(1), second = after(2), third = after(3);
    const double expected = (momentum * (0.8 * momentum + 1) + 1.2) / (0.8 * momentum + 1);
    for (index_t i = 0; i < first.size(); ++i)
      CHECK((third[i] - second[i]) / (second[i] - first[i]) == doctest::Approx(expected).epsilon(1e-3));
  }
  for (const auto& [count, rate] : {std::pair(20, 50.0), std::pair(240, 60.0)}) {
    const tensor<float> some = corners(3, count, 5, 2);
    const tsne_map by_default = tsne(threads, some, {.perplexity = 10, .iterations = 5});
    CHECK(by_default.points == tsne(threads, some, {.perplexity = 10, .iterations = 5, .learning_rate = rate}).points);
  }
}

TEST_CASE("t-SNE is the same bits whatever the threads, and says how far it is") {
  const tensor<float> points = corners(3, 50, 4, 1);
  thread_pool one(1), three(3);
  std::vector<int> told;
  const tsne_options options{.perplexity = 20, .iterations = 300};
  const tsne_map a = tsne(one, points, options, [&](int done, int all) {
    CHECK(all == 300);
    told.push_back(done);
  });
  const tsne_map b = tsne(three, points, options);
  CHECK(a.points == b.points);
  CHECK(a.divergence == b.divergence);
  REQUIRE(told.size() == 300);
  CHECK(told.front() == 1);
  CHECK(told.back() == 300);
  // Points that are one stay one.
  const tsne_map same = tsne(one, tensor<float>({10, 3}, 1), {.perplexity = 4, .iterations = 20});
  CHECK(same.points == tensor<double>({10, 2}, 0));
}

TEST_CASE("maps refuse what they cannot draw") {
  thread_pool threads(1);
  tensor<float> points = corners(3, 10, 4, 1);
  CHECK_THROWS_AS(tsne(threads, points, {.perplexity = 29}), value_error);
  CHECK_THROWS_AS(tsne(threads, points, {.perplexity = 1}), value_error);
  CHECK_THROWS_AS(tsne(threads, points, {.perplexity = 5, .iterations = 0}), value_error);
  CHECK_THROWS_AS(tsne(threads, points, {.perplexity = 5, .exaggeration = 0.5}), value_error);
  CHECK_THROWS_AS(tsne(threads, points, {.perplexity = 5, .learning_rate = -1}), value_error);
  CHECK_THROWS_AS(principal_components(points.matrix().row_range(0, 1)), value_error);
  CHECK_THROWS_AS(principal_components(points.matrix().col_range(0, 0)), shape_error);
  points(6, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(principal_components(points), "principal components: row 6 has a NaN or an infinity",
                       value_error);
  CHECK_THROWS_AS(tsne(threads, points, {.perplexity = 5}), value_error);
}

// sklearn.metrics.adjusted_rand_score(a, b) and normalized_mutual_info_score(a, b).
TEST_CASE("agreement of labellings is scikit-learn's") {
  using labels = std::vector<index_t>;
  const struct {
    labels a, b;
    double rand, information;
  } known[] = {{{0, 0, 1, 1}, {0, 0, 1, 2}, 0.5714285714285714, 0.7999999999999999},
               {{0, 0, 1, 1}, {1, 1, 0, 0}, 1, 1},
               {{0, 0, 1, 1}, {0, 1, 0, 1}, -0.5, 0},
               {{0, 0, 0, 0}, {0, 1, 2, 3}, 0, 0},
               {{5, 5, 5, 7, 7, 7, 9, 9, 9, 9}, {1, 1, 2, 2, 2, 3, 3, 3, 3, 1}, 0.20454545454545456, 0.44270128334605},
               {{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2},
                {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2},
                -0.14583333333333334,
                0.053605369642813865},
               {{3}, {8}, 1, 1},
               {{1, 1, 1}, {2, 2, 2}, 1, 1},
               {{1, 2, 3}, {3, 1, 2}, 1, 1}};
  for (const auto& each : known) {
    CAPTURE(each.rand);
    for (const auto& [a, b] : {std::pair(each.a, each.b), std::pair(each.b, each.a)}) {
      CHECK(adjusted_rand(a, b) == doctest::Approx(each.rand).epsilon(1e-12));
      CHECK(std::abs(normalised_mutual_information(a, b) - each.information) < 1e-12);
    }
  }
  CHECK_THROWS_AS(adjusted_rand(labels{1, 2}, labels{1}), value_error);
  CHECK_THROWS_AS(adjusted_rand(labels{}, labels{}), value_error);
  CHECK_THROWS_AS(normalised_mutual_information(labels{1, 2}, labels{1}), value_error);
  CHECK_THROWS_AS(normalised_mutual_information(labels{}, labels{}), value_error);
}

TEST_CASE("labellings drawn apart agree no more than chance does") {
  rng random(5);
  std::vector<index_t> a(3000), b(3000);
  for (index_t& each : a) each = index_t(random.below(6));
  for (index_t& each : b) each = index_t(random.below(18));
  CHECK(std::abs(adjusted_rand(a, b)) < 0.01);
  const double information = normalised_mutual_information(a, b);
  CHECK(information > 0);
  CHECK(information < 0.02);
}
