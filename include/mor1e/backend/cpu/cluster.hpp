// Distances of points to centroids, the nearest ones, and sums of the points that each has.
#pragma once

#include <algorithm>
#include <vector>

#include "mor1e/backend/cluster.hpp"
#include "mor1e/backend/cpu/gemm.hpp"
#include "mor1e/backend/scratch.hpp"

namespace mor1e::backend {

namespace detail {

/// f(piece, row, scores) for every point, scores_j = |c_j|^2 - 2 x.c_j, from products of blocks that stay in the cache.
/// Threads share the pieces.
template <class T, class F>
void each_scored_point(cpu& device, view<const T> x, view<const T> centroids, const F& f) {
  constexpr index_t block_rows = 256;
  const point_pieces pieces(x.rows);
  const index_t k = centroids.rows, each = block_rows * k;
  std::vector<T> squares;
  for (index_t j = 0; j < k; ++j) squares.push_back(T(squared_length(centroids.row(j), centroids.cols)));
  const scratch<cpu, T> memory(device, device.threads().size(), each);
  parallel_tasks(device.threads(), pieces.count, [&](index_t piece, int thread) {
    const index_t begin = pieces.begin(piece), end = pieces.begin(piece + 1);
    const index_t blocks = (end - begin + block_rows - 1) / block_rows;
    for (index_t block = 0; block < blocks; ++block) {
      const index_t first = begin + (end - begin) * block / blocks, last = begin + (end - begin) * (block + 1) / blocks;
      const view<T> scores(memory.view().row(thread), last - first, k);
      for (index_t i = 0; i < scores.rows; ++i) std::copy(squares.begin(), squares.end(), scores.row(i));
      gemm_serial(transpose::no, transpose::yes, T(-2), x.row_range(first, last - first), centroids, T(1), scores);
      for (index_t i = 0; i < scores.rows; ++i) f(piece, first + i, static_cast<const T*>(scores.row(i)));
    }
  });
}

}  // namespace detail

/// y_ij = |x_i - c_j|^2, never negative, 0 for equal points. squares_i = |x_i|^2; largest = max |c_j|^2.
template <class T>
void centroid_distances(cpu& device, view<const T> x, view<const double> squares, view<const T> centroids,
                        double largest, view<double> y) {
  detail::each_scored_point(device, x, centroids, [&](index_t, index_t i, const T* scores) {
    const double slack = score_slack<T>(x.cols, squares[i], largest);
    for (index_t j = 0; j < centroids.rows; ++j) {
      const double value = squares[i] + double(scores[j]);
      y(i, j) = value > slack ? value : squared_distance(x.row(i), centroids.row(j), x.cols);
    }
  });
}

/// labels_i = the lowest j among the centroids nearest to x_i by distances in double, `changed` = 1 where a label is
/// not what it was, else 0. Unless `sums` is empty, sums_j and counts_j are those of the points of centroid j, added in
/// the order of `point_pieces`. squares_i = |x_i|^2; largest = max |c_j|^2.
template <class T>
void assign_to_centroids(cpu& device, view<const T> x, view<const double> squares, view<const T> centroids,
                         double largest, view<std::int64_t> labels, view<std::int64_t> changed,
                         view<std::int64_t> counts, view<double> sums) {
  const point_pieces pieces(x.rows);
  const index_t k = centroids.rows, d = x.cols;
  const bool sum = !sums.empty();
  std::vector<char> moved(pieces.count, 0);
  std::vector<std::int64_t> part_counts(sum ? pieces.count * k : 0, 0);
  const scratch<cpu, double> memory(device, sum ? pieces.count * k : 0, d);
  double* const parts = memory.view().data;
  if (sum)
    parallel_tasks(device.threads(), pieces.count,
                   [&](index_t piece, int) { std::fill_n(parts + piece * k * d, k * d, 0.0); });
  detail::each_scored_point(device, x, centroids, [&](index_t piece, index_t i, const T* scores) {
    const double slack = score_slack<T>(d, squares[i], largest);
    const index_t label = nearest_centroid(scores, slack, x.row(i), centroids.data, centroids.stride, k, d);
    moved[piece] |= label != labels[i];
    labels[i] = label;
    if (!sum) return;
    ++part_counts[piece * k + label];
    double* to = parts + (piece * k + label) * d;
    const T* from = x.row(i);
#pragma omp simd
    for (index_t c = 0; c < d; ++c) to[c] += double(from[c]);
  });
  changed[0] = std::find(moved.begin(), moved.end(), 1) != moved.end();
  if (!sum) return;
  parallel_tasks(device.threads(), k, [&](index_t j, int) {
    double* to = sums.row(j);
    std::fill_n(to, d, 0.0);
    counts[j] = 0;
    for (index_t piece = 0; piece < pieces.count; ++piece) {
      const double* from = parts + (piece * k + j) * d;
      for (index_t c = 0; c < d; ++c) to[c] += from[c];
      counts[j] += part_counts[piece * k + j];
    }
  });
}

}  // namespace mor1e::backend
