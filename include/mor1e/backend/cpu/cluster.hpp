// Distances of points to centroids, the nearest ones, and sums of the points that each has.
#pragma once

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "mor1e/backend/cluster.hpp"
#include "mor1e/backend/cpu/device.hpp"
#include "mor1e/backend/cpu/tile_product.hpp"
#include "mor1e/backend/scratch.hpp"

namespace mor1e::backend {

namespace detail {

/// f(thread, row, scores) for every point, scores_j = |c_j|^2 - 2 x.c_j, from products of blocks that stay in the
/// cache. Threads share the pieces.
template <class T, class F>
void each_scored_point(cpu& device, view<const T> x, view<const T> centroids, const F& f) {
  constexpr index_t most_rows = 64;
  const point_pieces pieces(x.rows);
  const index_t d = x.cols, k = centroids.rows, size = pack_size<T>, stride = (k + size - 1) / size * size;
  // |c_j|^2 and -2 c_j, column by column, up to whole registers: laid out once for all blocks.
  std::vector<T> squares(std::size_t(stride), T(0)), factors(std::size_t(d * stride), T(0));
  for (index_t j = 0; j < k; ++j) {
    const T* centroid = centroids.row(j);
    squares[j] = T(squared_length(centroid, d));
    for (index_t c = 0; c < d; ++c) factors[c * stride + j] = -2 * centroid[c];
  }
  const scratch<cpu, T> memory(device, device.threads().size(), most_rows * stride);
  parallel_tasks(device.threads(), pieces.count, [&](index_t piece, int thread) {
    T* const scores = memory.view().row(thread);
    for (index_t first = pieces.begin(piece), end = pieces.begin(piece + 1); first < end; first += most_rows) {
      const index_t rows = std::min(most_rows, end - first);
      std::fill_n(scores, rows * stride, T(0));
      tile_product(rows, stride, d, factor<T>{x.row(first), x.stride, 1}, factors.data(), stride, scores, stride);
      for (index_t i = 0; i < rows; ++i) {
        // Last: a product that began at |c|^2 would round each of its terms to that.
        T* of = scores + i * stride;
        for (index_t j = 0; j < stride; ++j) of[j] += squares[j];
        f(thread, first + i, static_cast<const T*>(of));
      }
    }
  });
}

}  // namespace detail

/// y_ij = |x_i - c_j|^2, never negative, 0 for equal points. squares_i = |x_i|^2; largest = max |c_j|^2.
template <class T>
void centroid_distances(cpu& device, view<const T> x, view<const double> squares, view<const T> centroids,
                        double largest, view<double> y) {
  detail::each_scored_point(device, x, centroids, [&](int, index_t i, const T* scores) {
    const double slack = score_slack<T>(x.cols, squares[i], largest);
    for (index_t j = 0; j < centroids.rows; ++j) {
      const double value = squares[i] + double(scores[j]);
      y(i, j) = value > slack ? value : squared_distance(x.row(i), centroids.row(j), x.cols);
    }
  });
}

/// labels_i = the lowest j among the centroids nearest to x_i by distances in double, `changed` = 0 if every label is
/// what it was, else another number; here how many are not, and before, how many were not in the last pass. Unless
/// `sums` [2 k, d] is empty, rows j and k + j of it are the sums of the high and of the low parts of the points of
/// centroid j, and counts_j their number; before, they are those of the labels before, of which -1 is none. squares_i =
/// |x_i|^2; largest = max |c_j|^2.
template <class T>
void assign_to_centroids(cpu& device, view<const T> x, view<const double> squares, view<const T> centroids,
                         double largest, const exact_parts& parts, view<std::int64_t> labels,
                         view<std::int64_t> changed, view<std::int64_t> counts, view<double> sums) {
  const index_t k = centroids.rows, d = x.cols, threads = device.threads().size();
  const bool sum = !sums.empty();
  // Moving a point is two sums: where half of them moved in the pass before, all are added up anew, to the same bits.
  const bool anew = sum && 2 * changed[0] > x.rows;
  std::vector<std::int64_t> moved(std::size_t(threads), 0);
  // What changes, by thread and centroid: only points with another label are added up.
  std::vector<char> used(std::size_t(sum ? threads * k : 0), 0);
  std::vector<std::int64_t> new_counts(used.size(), 0);
  const scratch<cpu, double> memory(device, index_t(used.size()), 2 * d);
  detail::each_scored_point(device, x, centroids, [&](int thread, index_t i, const T* scores) {
    const double slack = score_slack<T>(d, squares[i], largest);
    const index_t label = nearest_centroid(scores, slack, x.row(i), centroids.data, centroids.stride, k, d);
    const index_t before = std::exchange(labels[i], label);
    moved[thread] += label != before;
    if (!sum || (label == before && !anew)) return;
    const auto add = [&, from = x.row(i)](index_t j, int sign) {
      const index_t at = thread * k + j;
      double *const high = memory.view().row(at), *const low = high + d;
      if (!std::exchange(used[at], 1)) std::fill_n(high, 2 * d, 0.0);
      new_counts[at] += sign;
      int rest = 0;  // of most rows nothing is left for the low parts
#pragma omp simd reduction(| : rest)
      for (index_t c = 0; c < d; ++c) {
        const double value = from[c], upper = parts.high(value);
        high[c] += sign * upper;
        rest |= value != upper;
      }
      if (rest == 0) return;
#pragma omp simd
      for (index_t c = 0; c < d; ++c) low[c] += sign * parts.low(from[c], parts.high(from[c]));
    };
    add(label, 1);
    if (before >= 0 && !anew) add(before, -1);
  });
  changed[0] = std::accumulate(moved.begin(), moved.end(), std::int64_t(0));
  if (!sum) return;
  parallel_tasks(device.threads(), k, [&](index_t j, int) {
    if (anew) {
      std::fill_n(sums.row(j), d, 0.0), std::fill_n(sums.row(k + j), d, 0.0);
      counts[j] = 0;
    }
    for (index_t at = j; at < threads * k; at += k) {
      if (!used[at]) continue;
      const double* from = memory.view().row(at);
      for (index_t c = 0; c < d; ++c) sums(j, c) += from[c], sums(k + j, c) += from[d + c];
      counts[j] += new_counts[at];
    }
  });
}

}  // namespace mor1e::backend
