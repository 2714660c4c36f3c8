// Points in host memory, and the passes over them that clustering needs: nearest centroids, sums, distances.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <vector>

#include "mor1e/backend/concept.hpp"
#include "mor1e/core/parallel.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e::cluster {

/// |a - b|^2 over `d` values, in double. Eight partial sums in a fixed order: equal arguments give equal bits.
template <class T>
double squared_distance(const T* a, const T* b, index_t d) {
  double lane[8] = {};
  index_t j = 0;
  for (; j + 8 <= d; j += 8)
#pragma omp simd
    for (int l = 0; l < 8; ++l) {
      const double difference = double(a[j + l]) - double(b[j + l]);
      lane[l] += difference * difference;
    }
  for (; j < d; ++j) lane[0] += (double(a[j]) - double(b[j])) * (double(a[j]) - double(b[j]));
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

/// |a|^2 over `d` values, in double.
template <class T>
double squared_length(const T* a, index_t d) {
  double lane[8] = {};
  index_t j = 0;
  for (; j + 8 <= d; j += 8)
#pragma omp simd
    for (int l = 0; l < 8; ++l) lane[l] += double(a[j + l]) * double(a[j + l]);
  for (; j < d; ++j) lane[0] += double(a[j]) * double(a[j]);
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

/// Points [n, d] with their squared lengths and the scratch memory of one device.
///
/// Every pass cuts the points into pieces that depend on n alone and adds up what the pieces give in their order, so
/// that no result depends on the number of threads.
template <class T, class B>
requires HostDevice<B> && HasGemm<B, T>
class point_set {
 public:
  /// Borrows device and points. Throws `shape_error` for points without columns, `value_error` naming the first row
  /// with a NaN, an infinity, or a squared length that T cannot hold.
  point_set(B& device, view<const T> points)
      : device_(device),
        points_(points),
        pieces_(std::clamp<index_t>(points.rows / 256, 1, 32)),
        squares_(points.rows) {
    require<shape_error>(points.cols > 0, "kmeans: points [", points.rows, ", ", points.cols, "] have no columns");
    each_piece([&](index_t, index_t begin, index_t end, int) {
      for (index_t i = begin; i < end; ++i) squares_[i] = squared_length(points_.row(i), points_.cols);
    });
    for (index_t i = 0; i < points.rows; ++i) check_length("point", i, squares_[i]);
  }

  index_t size() const { return points_.rows; }
  index_t width() const { return points_.cols; }
  const T* operator[](index_t i) const { return points_.row(i); }

  /// label_i = the lowest j among the nearest centroids [k, d] of point i; whether any label changed.
  ///
  /// |c|^2 - 2 x.c comes from a matrix product; centroids that its rounding error cannot tell apart are compared by
  /// `squared_distance`. The labels are therefore those of distances in double, whatever multiplied.
  bool assign(view<const T> centroids, std::int64_t* labels) { return pass(centroids, labels, false); }

  /// `assign`, and in the same pass the sums [k, d] and numbers of the points of each cluster, for `sum`.
  bool assign_and_sum(view<const T> centroids, std::int64_t* labels) { return pass(centroids, labels, true); }

  /// The sums that `assign_and_sum` left: to[0, d) and the number of points of cluster j.
  index_t sum(index_t j, double* to) const {
    const index_t d = width(), k = index_t(counts_.size()) / pieces_;
    std::fill(to, to + d, 0.0);
    index_t count = 0;
    for (index_t piece = 0; piece < pieces_; ++piece) {
      const double* part = sums_.data() + (piece * k + j) * d;
      for (index_t c = 0; c < d; ++c) to[c] += part[c];
      count += counts_[piece * k + j];
    }
    return count;
  }

  /// out_i = |x_i - centroid of its label|^2; their sum.
  double own_distances(view<const T> centroids, const std::int64_t* labels, double* out) {
    return total(
        [&](index_t i) { return out[i] = squared_distance(points_.row(i), centroids.row(labels[i]), width()); });
  }

  /// out(i, j) = |x_i - c_j|^2, never negative, 0 for equal points: [n, k] of them, for few centroids.
  void distances(view<const T> centroids, view<double> out) {
    const auto facts = facts_of(centroids);
    each_scored_block(centroids, facts, [&](index_t, index_t row, const T* scores) {
      const double noise = slack(squares_[row], facts.largest);
      for (index_t j = 0; j < centroids.rows; ++j) {
        const double value = squares_[row] + double(scores[j]);
        out(row, j) = value > noise ? value : squared_distance(points_.row(row), centroids.row(j), width());
      }
    });
  }

  /// The sum of f(i) over the points, in double.
  template <class F>
  double total(const F& f) {
    partial_.assign(pieces_, 0.0);
    each_piece([&](index_t piece, index_t begin, index_t end, int) {
      double sum = 0;
      for (index_t i = begin; i < end; ++i) sum += f(i);
      partial_[piece] = sum;
    });
    double sum = 0;
    for (const double part : partial_) sum += part;
    return sum;
  }

  /// f(task) for every task in [0, count), on the threads of the device if it has any.
  template <class F>
  void each(index_t count, const F& f) {
    run(count, [&](index_t task, int) { f(task); });
  }

  /// Throws `value_error` naming the row unless `square` is a squared length that products in T can hold.
  static void check_length(const char* what, index_t row, double square) {
    // The negation catches NaN. Scores are sums of at most three such terms.
    require<value_error>(square <= double(std::numeric_limits<T>::max()) / 16, "kmeans: ", what, " of row ", row,
                         std::isfinite(square) ? " is too long for its type, squared length "
                                               : " holds a NaN or an infinity, squared length ",
                         square);
  }

 private:
  // A device that lends its threads multiplies on each of them alone; another one is used from this thread.
  static constexpr bool has_threads = requires(B & b, backend::transpose t, T s, view<const T> x, view<T> y) {
    parallel_tasks(b.threads(), index_t(), [](index_t, int) {});
    gemm_serial(t, t, s, x, x, s, y);
  };
  static constexpr index_t block_rows = 256;

  struct centroid_facts {
    std::vector<T> squares;
    double largest = 0;  // squared length
  };

  int threads() const {
    if constexpr (has_threads)
      return device_.threads().size();
    else
      return 1;
  }

  template <class F>
  void run(index_t count, const F& f) {
    if constexpr (has_threads)
      parallel_tasks(device_.threads(), count, f);
    else
      for (index_t task = 0; task < count; ++task) f(task, 0);
  }

  template <class F>
  void each_piece(const F& f) {
    run(pieces_,
        [&](index_t piece, int thread) { f(piece, size() * piece / pieces_, size() * (piece + 1) / pieces_, thread); });
  }

  void multiply(view<const T> x, view<const T> centroids, view<T> scores) {
    using backend::transpose;
    if constexpr (has_threads)
      gemm_serial(transpose::no, transpose::yes, T(-2), x, centroids, T(1), scores);
    else
      gemm(device_, transpose::no, transpose::yes, T(-2), x, centroids, T(1), scores);
  }

  static centroid_facts facts_of(view<const T> centroids) {
    centroid_facts facts;
    for (index_t j = 0; j < centroids.rows; ++j) {
      const double square = squared_length(centroids.row(j), centroids.cols);
      check_length("centroid", j, square);
      facts.squares.push_back(T(square));
      facts.largest = std::max(facts.largest, square);
    }
    return facts;
  }

  /// How far apart two scores of one point may be though their true values are equal: twice the worst rounding error of
  /// a product of d terms in any order, and what underflow may take.
  double slack(double square, double centroid_square) const {
    const double epsilon = std::numeric_limits<T>::epsilon(), d = double(width());
    return epsilon * ((2 * d + 4) * std::sqrt(square * centroid_square) + 3 * centroid_square) +
           4 * d * double(std::numeric_limits<T>::min());
  }

  /// f(piece, row, scores) for every point, scores_j = |c_j|^2 - 2 x.c_j.
  template <class F>
  void each_scored_block(view<const T> centroids, const centroid_facts& facts, const F& f) {
    const index_t k = centroids.rows, each = block_rows * k;
    if (scores_.size() < each * threads()) scores_ = tensor<T>({threads(), each});
    each_piece([&](index_t piece, index_t begin, index_t end, int thread) {
      const index_t blocks = (end - begin + block_rows - 1) / block_rows;
      for (index_t block = 0; block < blocks; ++block) {
        const index_t first = begin + (end - begin) * block / blocks,
                      last = begin + (end - begin) * (block + 1) / blocks;
        const view<T> scores(scores_.data() + thread * each, last - first, k);
        for (index_t i = 0; i < scores.rows; ++i) std::copy(facts.squares.begin(), facts.squares.end(), scores.row(i));
        multiply(points_.row_range(first, last - first), centroids, scores);
        for (index_t i = 0; i < scores.rows; ++i) f(piece, first + i, static_cast<const T*>(scores.row(i)));
      }
    });
  }

  index_t nearest(index_t row, const T* scores, view<const T> centroids, double largest) const {
    const index_t k = centroids.rows;
    T least = scores[0];
#pragma omp simd reduction(min : least)
    for (index_t j = 0; j < k; ++j) least = scores[j] < least ? scores[j] : least;
    const T limit = least + T(slack(squares_[row], largest));
    std::int32_t close = 0;
#pragma omp simd reduction(+ : close)
    for (index_t j = 0; j < k; ++j) close += scores[j] <= limit;
    if (close == 1) return std::find(scores, scores + k, least) - scores;
    index_t best = 0;
    double shortest = std::numeric_limits<double>::infinity();
    for (index_t j = 0; j < k; ++j) {
      if (!(scores[j] <= limit)) continue;
      const double distance = squared_distance(points_.row(row), centroids.row(j), width());
      if (distance < shortest) shortest = distance, best = j;
    }
    return best;
  }

  bool pass(view<const T> centroids, std::int64_t* labels, bool sum) {
    const index_t k = centroids.rows, d = width();
    const auto facts = facts_of(centroids);
    changed_.assign(pieces_, 0);
    if (sum) {
      if (sums_.size() != pieces_ * k * d) sums_ = tensor<double>({pieces_, k, d});
      counts_.assign(pieces_ * k, 0);
      run(pieces_, [&](index_t piece, int) { std::fill_n(sums_.data() + piece * k * d, k * d, 0.0); });
    }
    each_scored_block(centroids, facts, [&](index_t piece, index_t row, const T* scores) {
      const index_t label = nearest(row, scores, centroids, facts.largest);
      changed_[piece] |= label != labels[row];
      labels[row] = label;
      if (!sum) return;
      ++counts_[piece * k + label];
      double* to = sums_.data() + (piece * k + label) * d;
      const T* from = points_.row(row);
#pragma omp simd
      for (index_t c = 0; c < d; ++c) to[c] += double(from[c]);
    });
    return std::find(changed_.begin(), changed_.end(), 1) != changed_.end();
  }

  B& device_;
  view<const T> points_;
  index_t pieces_;
  std::vector<double> squares_, partial_;
  std::vector<char> changed_;
  std::vector<index_t> counts_;  // [pieces, k]
  tensor<double> sums_;          // [pieces, k, d]
  tensor<T> scores_;             // [threads, block_rows * k]
};

}  // namespace mor1e::cluster
