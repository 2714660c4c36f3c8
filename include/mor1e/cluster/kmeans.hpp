// K-means: greedy k-means++ seeding, Lloyd's iteration, restarts.
//
// Sources: Lloyd, "Least squares quantization in PCM", 1982; Arthur and Vassilvitskii, "k-means++: the advantages of
// careful seeding", SODA 2007 (section 4 for the greedy choice among several candidates).
#pragma once

#include <cmath>
#include <utility>

#include "mor1e/cluster/point_set.hpp"
#include "mor1e/core/rng.hpp"

namespace mor1e::cluster {

struct kmeans_options {
  index_t clusters = 32;
  std::uint64_t seed = 0;
  int restarts = 1;  ///< seedings tried; the least inertia wins, the first of equals
  int max_iterations = 300;
};

/// What one run of Lloyd's iteration came to.
struct kmeans_summary {
  double inertia = 0;      ///< sum over the points of the squared distance to their centroid, in double
  int iterations = 0;      ///< assignments made, the one that repeated the labels included
  bool converged = false;  ///< the labels repeated before `max_iterations`
  index_t empty = 0;       ///< clusters without a point
};

template <class T>
struct kmeans_result : kmeans_summary {
  tensor<T> centroids;                   ///< [k, d]
  tensor<std::int64_t> labels;           ///< [n], of the nearest centroid, ties to the lowest
  std::vector<kmeans_summary> restarts;  ///< every run, in order; `lloyd` leaves it empty
};

namespace detail {

/// Throws unless `k` clusters can be made of `n` points.
inline void check_clusters(index_t k, index_t n) {
  require<value_error>(k >= 1, "kmeans: ", k, " clusters; there must be one at least");
  require<value_error>(k <= n, "kmeans: ", k, " clusters of ", n, " points");
}

/// The point at which the running sum of the weights passes `target`; the last one of positive weight if rounding
/// keeps the sum below.
inline index_t point_at(const std::vector<double>& weights, double target) {
  index_t last = 0;
  double sum = 0;
  for (index_t i = 0; i < index_t(weights.size()); ++i) {
    sum += weights[i];
    if (weights[i] > 0) last = i;
    if (target < sum) return i;
  }
  return last;
}

template <class T, class B>
tensor<T> seed_centroids(point_set<T, B>& points, index_t k, std::uint64_t seed) {
  const index_t n = points.size(), d = points.width(), trials = 2 + index_t(std::log(double(k)));
  rng random(seed);
  tensor<T> centroids({k, d}), candidates({trials, d});
  tensor<double> distance({n, trials});
  std::vector<double> closest(n);
  std::copy_n(points[index_t(random.below(n))], d, centroids.data());
  points.distances(std::as_const(centroids).matrix().row_range(0, 1), {closest.data(), n, 1});
  for (index_t j = 1; j < k; ++j) {
    const double potential = points.total([&](index_t i) { return closest[i]; });
    for (index_t t = 0; t < trials; ++t) {
      // All points are centroids already: more clusters than distinct points, and any point will do.
      const index_t drawn = potential > 0 ? point_at(closest, random.uniform() * potential) : index_t(random.below(n));
      std::copy_n(points[drawn], d, candidates.data() + t * d);
    }
    points.distances(std::as_const(candidates), distance);
    index_t best = 0;
    double least = 0;
    for (index_t t = 0; t < trials; ++t) {
      const double left = points.total([&](index_t i) { return std::min(closest[i], distance[i * trials + t]); });
      if (t == 0 || left < least) least = left, best = t;
    }
    for (index_t i = 0; i < n; ++i) closest[i] = std::min(closest[i], distance[i * trials + best]);
    std::copy_n(candidates.data() + best * d, d, centroids.data() + j * d);
  }
  return centroids;
}

/// Gives each empty cluster the point farthest from its own centroid, the farthest to the first, and takes it out of
/// the sum of its cluster. A point that lies on its centroid is not moved.
template <class T, class B>
void fill_empty(point_set<T, B>& points, view<const T> centroids, tensor<double>& sums, tensor<std::int64_t>& counts) {
  const index_t d = points.width();
  std::vector<index_t> empty;
  for (index_t j = 0; j < centroids.rows; ++j)
    if (counts[j] == 0) empty.push_back(j);
  if (empty.empty()) return;
  const tensor<std::int64_t> labels = points.labels();
  std::vector<double> distance(points.size());
  points.own_distances(centroids, labels, distance.data());
  std::vector<index_t> order(points.size());
  for (index_t i = 0; i < points.size(); ++i) order[i] = i;
  std::partial_sort(order.begin(), order.begin() + empty.size(), order.end(), [&](index_t a, index_t b) {
    return distance[a] != distance[b] ? distance[a] > distance[b] : a < b;
  });
  for (std::size_t e = 0; e < empty.size() && distance[order[e]] > 0; ++e) {
    const T* point = points[order[e]];
    const index_t from = labels[order[e]];
    double *left = sums.data() + from * d, *taken = sums.data() + empty[e] * d;
    for (index_t c = 0; c < d; ++c) left[c] -= double(point[c]), taken[c] = double(point[c]);
    --counts[from];
    counts[empty[e]] = 1;
  }
}

template <class T, class B>
kmeans_result<T> run_lloyd(point_set<T, B>& points, tensor<T> centroids, int max_iterations) {
  const index_t k = centroids.extents()[0], d = points.width();
  kmeans_result<T> result;
  tensor<double> sums;
  tensor<std::int64_t> counts;
  points.clear_labels();
  const auto current = std::as_const(centroids).matrix();
  while (result.iterations < max_iterations) {
    ++result.iterations;
    if (!points.assign_and_sum(current, sums, counts)) {
      result.converged = true;
      break;
    }
    fill_empty(points, current, sums, counts);
    for (index_t j = 0; j < k; ++j)
      for (index_t c = 0; counts[j] > 0 && c < d; ++c) centroids[j * d + c] = T(sums[j * d + c] / double(counts[j]));
  }
  if (!result.converged) points.assign(current);
  result.labels = points.labels();
  std::vector<double> distance(points.size());
  result.inertia = points.own_distances(current, result.labels, distance.data());
  std::vector<index_t> members(k, 0);
  for (const std::int64_t label : result.labels) ++members[label];
  result.empty = std::count(members.begin(), members.end(), 0);
  result.centroids = std::move(centroids);
  return result;
}

}  // namespace detail

/// k points [k, d] to start from: the first uniform, each next the best of 2 + floor(ln k) candidates drawn with
/// probability proportional to the squared distance to the nearest one chosen before. No point is chosen twice while
/// another differs from all chosen; with fewer than k distinct points, some repeat.
/// The same for the same seed, whatever the number of threads. Throws as `kmeans`.
template <class T, class B>
requires HasHost<B> tensor<T> kmeans_plus_plus(B& device, view<const T> points, index_t clusters, std::uint64_t seed) {
  detail::check_clusters(clusters, points.rows);
  point_set<T, host_of<B>> set(device.host(), points);
  return detail::seed_centroids(set, clusters, seed);
}

/// Lloyd's iteration from the given centroids [k, d]: assign each point to its nearest centroid (ties to the lowest),
/// move each centroid to the mean of its points, until the labels repeat. An empty cluster takes the point farthest
/// from its own centroid, which leaves the mean of its cluster; when all points lie on their centroids (fewer distinct
/// points than clusters), it keeps its centroid and stays empty. After `max_iterations` updates the labels are taken
/// anew, so that they always fit the centroids.
/// The same bits whatever the number of threads. Throws as `kmeans`; `shape_error` for centroids of another width.
template <class T, class B>
requires HasHost<B> kmeans_result<T> lloyd(B& device, view<const T> points, view<const T> centroids,
                                           int max_iterations = 300) {
  detail::check_clusters(centroids.rows, points.rows);
  require<shape_error>(points.cols == centroids.cols, "kmeans: widths differ: points [", points.rows, ", ", points.cols,
                       "], centroids [", centroids.rows, ", ", centroids.cols, "]");
  require<value_error>(max_iterations >= 1, "kmeans: ", max_iterations, " iterations; there must be one at least");
  point_set<T, B> set(device, points);
  tensor<T> start({centroids.rows, centroids.cols});
  for (index_t j = 0; j < centroids.rows; ++j)
    std::copy_n(centroids.row(j), centroids.cols, start.data() + j * centroids.cols);
  return detail::run_lloyd(set, std::move(start), max_iterations);
}

/// Clusters points [n, d] in host memory: k-means++ and Lloyd's iteration, `restarts` times.
///
///     auto result = cluster::kmeans<float>(device, embeddings, {.clusters = 32, .seed = 7, .restarts = 4});
///
/// Throws `value_error` for fewer points than clusters (with both numbers), for a point with a NaN or an infinity (with
/// its row), and for options below one; `shape_error` for points without columns.
template <class T, class B>
requires HasHost<B> kmeans_result<T> kmeans(B& device, view<const T> points, const kmeans_options& options = {}) {
  detail::check_clusters(options.clusters, points.rows);
  require<value_error>(options.restarts >= 1, "kmeans: ", options.restarts, " restarts; there must be one at least");
  require<value_error>(options.max_iterations >= 1, "kmeans: ", options.max_iterations,
                       " iterations; there must be one at least");
  point_set<T, B> set(device, points);
  kmeans_result<T> best;
  std::vector<kmeans_summary> restarts;
  for (int restart = 0; restart < options.restarts; ++restart) {
    auto run = detail::run_lloyd(set, detail::seed_centroids(set, options.clusters, stream_key(options.seed, restart)),
                                 options.max_iterations);
    restarts.push_back(run);
    if (restart == 0 || run.inertia < best.inertia) best = std::move(run);
  }
  best.restarts = std::move(restarts);
  return best;
}

/// The same of a tensor, which may be mutable.
template <class T, class B>
kmeans_result<T> kmeans(B& device, const tensor<T>& points, const kmeans_options& options = {}) {
  return kmeans(device, points.matrix(), options);
}

}  // namespace mor1e::cluster
