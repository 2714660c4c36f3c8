// Points in host memory, and the passes over them that clustering needs: nearest centroids, sums, distances.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "mor1e/backend/cluster.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/core/parallel.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e::cluster {

/// Host values where a device reads them: in place if that is its own memory, else a copy.
template <class B, class T>
class placed {
 public:
  placed(B& device, view<const T> values) {
    if constexpr (HostDevice<B>) {
      view_ = values;
    } else {
      copy_ = array<B, T>(device, shape{values.rows, values.cols});
      if (values.contiguous())
        copy_.write(values);
      else
        for (index_t i = 0; i < values.rows; ++i) copy_.write(i * values.cols, values.row_range(i, 1));
      view_ = std::as_const(copy_).matrix();
    }
  }

  view_of<B, const T> matrix() const { return view_; }

 private:
  array<B, T> copy_;
  view_of<B, const T> view_;
};

/// Points [n, d] with their squared lengths, and a label for each, at first -1. The device finds nearest centroids and
/// adds up; distances that random choices and inertia depend on are the host's, so that both are the same for every
/// device.
template <class T, class B>
requires HasHost<B> && HasCentroids<B, T> && HasCentroidDistances<host_of<B>, T>
class point_set {
 public:
  /// Borrows device and points. Throws `shape_error` for points without columns, `value_error` naming the first row
  /// with a NaN, an infinity, or a squared length that T cannot hold.
  point_set(B& device, view<const T> points)
      : device_(device),
        points_(points),
        pieces_(points.rows),
        squares_(squares_of(points)),
        exact_(largest_element(), points.rows),
        placed_points_(device, points),
        placed_squares_(device, squares()),
        labels_(device, tensor<std::int64_t>({points.rows, 1}, -1)),
        changed_(device, tensor<std::int64_t>({1, 1}, 0)) {}

  index_t size() const { return points_.rows; }
  index_t width() const { return points_.cols; }
  const T* operator[](index_t i) const { return points_.row(i); }

  /// label_i = the lowest j among the nearest centroids [k, d] of point i, by distances in double, whatever multiplied;
  /// whether any label changed.
  bool assign(view<const T> centroids) {
    // Sums go on as those of the labels, or are none.
    if (sums_.size() == 2 * centroids.size()) return pass(centroids, counts_.matrix(), sums_.matrix());
    sums_ = {};
    return pass(centroids, {}, {});
  }

  /// `assign`, and in the same pass the sums [k, d] of the points of each cluster and their numbers [k]; exact
  /// sums of their `exact_parts`. The first of a number of clusters clears the labels.
  bool assign_and_sum(view<const T> centroids, tensor<double>& sums, tensor<std::int64_t>& counts) {
    if (sums_.size() != 2 * centroids.size()) {
      sums_ = {device_, shape{2 * centroids.rows, centroids.cols}}, counts_ = {device_, shape{1, centroids.rows}};
      clear_labels();
    }
    const bool changed = pass(centroids, counts_.matrix(), sums_.matrix());
    const tensor<double> parts = sums_.read();
    sums = tensor<double>(shape{centroids.rows, centroids.cols}), counts = counts_.read();
    for (index_t i = 0; i < sums.size(); ++i) sums[i] = parts[i] + parts[sums.size() + i];
    return changed;
  }

  /// A copy [n] in host memory.
  tensor<std::int64_t> labels() const { return labels_.read(0, shape{size()}); }
  /// -1 for all.
  void clear_labels() {
    labels_.write(tensor<std::int64_t>({size()}, -1));
    if (sums_.size() == 0) return;
    sums_.fill(0), counts_.write(tensor<std::int64_t>(shape{counts_.size()}, 0));
  }

  /// out_i = |x_i - centroid of its label|^2; their sum.
  double own_distances(view<const T> centroids, const tensor<std::int64_t>& labels, double* out) {
    return total([&](index_t i) {
      return out[i] = backend::squared_distance(points_.row(i), centroids.row(labels[i]), width());
    });
  }

  /// out(i, j) = |x_i - c_j|^2, never negative, 0 for equal points: [n, k] of them, for few centroids.
  void distances(view<const T> centroids, view<double> out) {
    centroid_distances(device_.host(), points_, squares(), centroids, largest_square(centroids), out);
  }

  /// The sum of f(i) over the points, in double, added in pieces: the same whatever the number of threads.
  template <class F>
  double total(const F& f) {
    std::vector<double> parts(std::size_t(pieces_.count), 0.0);
    each_piece([&](index_t piece) {
      double sum = 0;
      for (index_t i = pieces_.begin(piece); i < pieces_.begin(piece + 1); ++i) sum += f(i);
      parts[std::size_t(piece)] = sum;
    });
    double sum = 0;
    for (const double part : parts) sum += part;
    return sum;
  }

 private:
  double largest_element() {
    std::vector<T> parts(std::size_t(pieces_.count), T(0));
    each_piece([&](index_t piece) {
      T largest = 0;
      for (index_t i = pieces_.begin(piece); i < pieces_.begin(piece + 1); ++i) {
        const T* x = points_.row(i);
#pragma omp simd reduction(max : largest)
        for (index_t c = 0; c < points_.cols; ++c) {
          const T size = x[c] < 0 ? -x[c] : x[c];
          largest = size > largest ? size : largest;
        }
      }
      parts[std::size_t(piece)] = largest;
    });
    return *std::max_element(parts.begin(), parts.end());
  }
  /// Throws `value_error` naming the row unless `square` is a squared length that products in T can hold.
  static void check_length(const char* what, index_t row, double square) {
    // The negation catches NaN. Scores are sums of at most three such terms.
    require<value_error>(square <= double(std::numeric_limits<T>::max()) / 16, "kmeans: ", what, " of row ", row,
                         std::isfinite(square) ? " is too long for its type, squared length "
                                               : " holds a NaN or an infinity, squared length ",
                         square);
  }

  static double largest_square(view<const T> centroids) {
    double largest = 0;
    for (index_t j = 0; j < centroids.rows; ++j) {
      const double square = backend::squared_length(centroids.row(j), centroids.cols);
      check_length("centroid", j, square);
      largest = std::max(largest, square);
    }
    return largest;
  }

  view<const double> squares() const { return {squares_.data(), size(), 1}; }
  std::vector<double> squares_of(view<const T> points) {
    require<shape_error>(points.cols > 0, "kmeans: points [", points.rows, ", ", points.cols, "] have no columns");
    std::vector<double> squares(std::size_t(points.rows));
    each_piece([&](index_t piece) {
      for (index_t i = pieces_.begin(piece); i < pieces_.begin(piece + 1); ++i)
        squares[std::size_t(i)] = backend::squared_length(points.row(i), points.cols);
    });
    for (index_t i = 0; i < points.rows; ++i) check_length("point", i, squares[std::size_t(i)]);
    return squares;
  }

  /// f(piece) for every piece, on the threads of the host device if it has any.
  template <class F>
  void each_piece(const F& f) {
    if constexpr (requires { device_.host().threads(); })
      parallel_tasks(device_.host().threads(), pieces_.count, [&](index_t piece, int) { f(piece); });
    else
      for (index_t piece = 0; piece < pieces_.count; ++piece) f(piece);
  }

  bool pass(view<const T> centroids, view_of<B, std::int64_t> counts, view_of<B, double> sums) {
    const double largest = largest_square(centroids);
    const placed<B, T> there(device_, centroids);
    assign_to_centroids(device_, placed_points_.matrix(), placed_squares_.matrix(), there.matrix(), largest, exact_,
                        labels_.matrix(), changed_.matrix(), counts, sums);
    return changed_.read()[0] != 0;
  }

  B& device_;
  view<const T> points_;
  backend::point_pieces pieces_;
  std::vector<double> squares_;
  backend::exact_parts exact_;
  placed<B, T> placed_points_;
  placed<B, double> placed_squares_;
  array<B, std::int64_t> labels_, changed_, counts_;
  array<B, double> sums_;
};

}  // namespace mor1e::cluster
