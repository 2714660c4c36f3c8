// Distances of points to centroids, the nearest ones, and sums of the points that each has.
#pragma once

#include <algorithm>

#include "mor1e/backend/cluster.hpp"
#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// y_ij = |x_i - c_j|^2
template <class T>
void centroid_distances(reference&, view<const T> x, view<const double>, view<const T> centroids, double,
                        view<double> y) {
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < centroids.rows; ++j) y(i, j) = squared_distance(x.row(i), centroids.row(j), x.cols);
}

/// labels_i = the lowest j among the centroids nearest to x_i, `changed` = 1 where a label is not what it was, else 0.
/// Unless `sums` is empty, sums_j and counts_j are those of the points of centroid j: see backend/cpu/cluster.hpp.
template <class T>
void assign_to_centroids(reference&, view<const T> x, view<const double>, view<const T> centroids, double,
                         const exact_parts& parts, view<std::int64_t> labels, view<std::int64_t> changed,
                         view<std::int64_t> counts, view<double> sums) {
  changed[0] = 0;
  for (index_t i = 0; i < x.rows; ++i) {
    index_t best = 0;
    double shortest = squared_distance(x.row(i), centroids.row(0), x.cols);
    for (index_t j = 1; j < centroids.rows; ++j) {
      const double distance = squared_distance(x.row(i), centroids.row(j), x.cols);
      if (distance < shortest) shortest = distance, best = j;
    }
    if (labels[i] != best) changed[0] = 1;
    labels[i] = best;
  }
  if (sums.empty()) return;
  std::fill_n(counts.data, counts.size(), 0);
  std::fill_n(sums.data, sums.size(), 0.0);
  for (index_t i = 0; i < x.rows; ++i) {
    ++counts[labels[i]];
    for (index_t c = 0; c < x.cols; ++c) {
      const double value = x(i, c), high = parts.high(value);
      sums(labels[i], c) += high;
      sums(centroids.rows + labels[i], c) += parts.low(value, high);
    }
  }
}

}  // namespace mor1e::backend
