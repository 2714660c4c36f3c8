// k-means on the device gives the labels and centroids of the CPU, to the bit: labels are those of distances in double,
// and sums are added in one order.
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/cuda.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/core/rng.hpp"

using namespace mor1e;
using namespace mor1e::cluster;

namespace {

/// Points around `places` places.
tensor<float> points_around(index_t places, index_t n, index_t d, double spread) {
  rng random(std::uint64_t(n * 1000 + d));
  tensor<float> centers({places, d}), points({n, d});
  for (float& value : centers) value = float(random.normal());
  for (index_t i = 0; i < points.size(); ++i)
    points[i] = centers[(i / d) % places * d + i % d] + float(spread * random.normal());
  return points;
}

void check_equal(const kmeans_result<float>& ours, const kmeans_result<float>& expected) {
  CHECK(ours.labels == expected.labels);
  CHECK(ours.centroids == expected.centroids);
  CHECK(ours.inertia == expected.inertia);
  CHECK(ours.iterations == expected.iterations);
  CHECK(ours.converged == expected.converged);
  CHECK(ours.empty == expected.empty);
}

void check_kmeans(cuda& device, view<const float> points, const kmeans_options& options) {
  cpu host(1);
  check_equal(kmeans<float>(device, points, options), kmeans<float>(host, points, options));
}

struct assignment {
  tensor<std::int64_t> labels, changed, again, counts;
  tensor<double> sums;
};

/// The primitive itself, rows of points with a gap between them: labels, whether any changed, counts and sums.
template <class B>
assignment assigned(B& device, const tensor<float>& points, index_t cols, const tensor<float>& centroids) {
  const index_t n = points.extents()[0], k = centroids.extents()[0];
  tensor<double> squares({n, 1});
  double largest = 0;
  for (index_t i = 0; i < n; ++i) squares[i] = backend::squared_length(points.data() + i * points.extents()[1], cols);
  for (index_t j = 0; j < k; ++j) largest = std::max(largest, backend::squared_length(&centroids(j, 0), cols));
  const backend::exact_parts parts(std::sqrt(*std::max_element(squares.begin(), squares.end())), n);
  const array<B, float> x(device, points), c(device, centroids);
  const array<B, double> lengths(device, squares);
  array<B, std::int64_t> labels(device, tensor<std::int64_t>({n, 1}, -1)),
      changed(device, tensor<std::int64_t>({1, 1}, 0)), counts(device, shape{1, k});
  array<B, double> sums(device, shape{2 * k, cols});
  counts.write(tensor<std::int64_t>(shape{k}, 0)), sums.fill(0);
  const auto run = [&] {
    assign_to_centroids(device, x.matrix().col_range(0, cols), lengths.matrix(), c.matrix(), largest, parts,
                        labels.matrix(), changed.matrix(), counts.matrix(), sums.matrix());
    return changed.read();
  };
  assignment out;
  out.changed = run();
  out.again = run();
  out.labels = labels.read(), out.counts = counts.read(), out.sums = sums.read();
  return out;
}

}  // namespace

TEST_CASE("cuda: k-means is that of the CPU") {
  cuda device({.host_threads = 1});
  struct sizes {
    index_t n, d, k;
  };
  // Below, at and above a piece of points; no multiple of eight columns; one column; one cluster; all points clusters;
  // more than a block of the device sorts.
  for (const auto& [n, d, k] :
       {sizes{40, 5, 3}, {300, 16, 4}, {700, 37, 9}, {513, 8, 1}, {20, 3, 20}, {90, 1, 7}, {6000, 2, 3}}) {
    CAPTURE(n);
    CAPTURE(d);
    CAPTURE(k);
    check_kmeans(device, points_around(k, n, d, 0.7).matrix(), {.clusters = k, .seed = 5, .restarts = 2});
  }
}

TEST_CASE("cuda: k-means where products cannot tell centroids apart") {
  cuda device({.host_threads = 1});
  auto points = points_around(6, 200, 24, 0.5);
  SUBCASE("far from the origin") {
    for (float& value : points) value += 500;
  }
  SUBCASE("the product is zero") {
    for (float& value : points) value *= 1e-30f;
  }
  SUBCASE("every point many times") {
    for (index_t i = 12 * 24; i < points.size(); ++i) points[i] = points[i % (12 * 24)];
  }
  check_kmeans(device, points.matrix(), {.clusters = 6, .seed = 1});
}

TEST_CASE("cuda: products of tf32 do not move a label") {
  cuda device({.products = cuda_products::tf32, .host_threads = 1});
  // Around 200 what tf32 rounds off is as large as the distances, what fp32 does is not.
  auto points = points_around(8, 400, 32, 3.0);
  for (float& value : points) value += 200;
  check_kmeans(device, points.matrix(), {.clusters = 8, .seed = 2});
}

TEST_CASE("cuda: an iteration limit, and points in rows with gaps") {
  cuda device({.host_threads = 1});
  const auto points = points_around(6, 150, 12, 1.5);
  check_kmeans(device, points.matrix().col_range(1, 9), {.clusters = 6, .seed = 3, .max_iterations = 2});
}

TEST_CASE("cuda: empty clusters take the farthest points, or stay empty") {
  cuda device({.host_threads = 1});
  cpu host(1);
  tensor<float> line({5, 1}), start({3, 1});
  std::copy_n(std::vector<float>{0, 1, 2, 10, 20}.data(), 5, line.data());
  std::copy_n(std::vector<float>{500, 1, 900}.data(), 3, start.data());
  const auto moved = lloyd<float>(device, line, start);
  check_equal(moved, lloyd<float>(host, line, start));
  CHECK(moved.empty == 0);
  const tensor<float> one_place({30, 3}, 2.0f);
  check_kmeans(device, one_place.matrix(), {.clusters = 4});
  CHECK(kmeans<float>(device, one_place, {.clusters = 4}).empty == 3);
}

TEST_CASE("cuda: ties go to the lowest centroid, sums to the bit, in rows with gaps") {
  cuda device({.host_threads = 1});
  cpu host(1);
  reference plain;
  const auto wide = points_around(3, 600, 15, 1.0);
  for (const index_t k : {1, 2, 17, 33}) {
    CAPTURE(k);
    tensor<float> centroids({k, 13});
    for (index_t j = 0; j < k; ++j) std::copy_n(&wide(j % 2, 0), 13, &centroids(j, 0));  // two rows, again and again
    const auto ours = assigned(device, wide, 13, centroids);
    for (const auto& expected : {assigned(host, wide, 13, centroids), assigned(plain, wide, 13, centroids)}) {
      CHECK(ours.labels == expected.labels);
      CHECK(ours.counts == expected.counts);
      CHECK(ours.sums == expected.sums);
      CHECK((ours.changed[0] != 0) == (expected.changed[0] != 0));
      CHECK(ours.again == expected.again);
    }
    CHECK(ours.changed[0] == 1);
    CHECK(ours.again[0] == 0);
    for (const auto label : ours.labels) CHECK(label < 2);
  }
}
