// What the back ends share about the nearest centroids of points: distances that equal arguments give equal bits of,
// and which products of matrices can be told apart.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "mor1e/core/config.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e::backend {

/// |a - b|^2 over `d` values, in double. Eight partial sums in a fixed order: equal arguments give equal bits.
template <class T>
MOR1E_HD double squared_distance(const T* a, const T* b, index_t d) {
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
MOR1E_HD double squared_length(const T* a, index_t d) {
  double lane[8] = {};
  index_t j = 0;
  for (; j + 8 <= d; j += 8)
#pragma omp simd
    for (int l = 0; l < 8; ++l) lane[l] += double(a[j + l]) * double(a[j + l]);
  for (; j < d; ++j) lane[0] += double(a[j]) * double(a[j]);
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

/// `points` rows cut into pieces, which threads share: the same pieces whatever their number.
struct point_pieces {
  index_t points = 0;
  index_t count = 1;

  explicit point_pieces(index_t points) : points(points), count(std::clamp<index_t>(points / 256, 1, 32)) {}
  MOR1E_HD index_t begin(index_t piece) const { return points * piece / count; }
  /// The piece of a point.
  MOR1E_HD index_t piece(index_t point) const { return ((point + 1) * count - 1) / points; }
};

/// Cuts values of at most `bound` in two parts of which sums of n are exact in double, so that no order of adding
/// matters, and a point can be taken out of a sum again without a trace. Together the parts keep the binary places of a
/// value down to about n^2 2^-104 of the bound: all of a float but where it is 2^-50 of the largest.
class exact_parts {
 public:
  exact_parts(double bound, index_t n) {
    int exponent = 0;
    std::frexp(bound * double(n), &exponent);
    high_ = std::ldexp(1.5, exponent);
    std::frexp(std::ldexp(double(n), exponent - 53), &exponent);
    low_ = std::ldexp(1.5, exponent);
  }

  /// A multiple of 2^-52 of the power of two above n bound: adding more than that and taking it away again rounds.
  MOR1E_HD double high(double value) const { return (value + high_) - high_; }
  /// What `high` left of the value, rounded in the same way.
  MOR1E_HD double low(double value, double high) const { return ((value - high) + low_) - low_; }

 private:
  double high_, low_;
};

// Device code may read a constant, not call numeric_limits.
template <class T>
inline constexpr double rounding = std::numeric_limits<T>::epsilon();
template <class T>
inline constexpr double least_normal = std::numeric_limits<T>::min();

/// How far apart two scores |c|^2 - 2 x.c of one point may be though their true values are equal: twice the worst
/// rounding error of a product of d terms in any order, and what underflow may take.
template <class T>
MOR1E_HD double score_slack(index_t d, double square, double centroid_square) {
  return rounding<T> * ((2 * double(d) + 4) * std::sqrt(square * centroid_square) + 3 * centroid_square) +
         4 * double(d) * least_normal<T>;
}

/// The lowest of the centroids [k, d] that are nearest to x, by its k scores; those that `slack` cannot tell apart are
/// compared by `squared_distance`.
template <class T>
MOR1E_HD index_t nearest_centroid(const T* scores, double slack, const T* x, const T* centroids, index_t stride,
                                  index_t k, index_t d) {
  T least = scores[0];
#pragma omp simd reduction(min : least)
  for (index_t j = 0; j < k; ++j) least = scores[j] < least ? scores[j] : least;
  const T limit = least + T(slack);
  std::int32_t close = 0;
#pragma omp simd reduction(+ : close)
  for (index_t j = 0; j < k; ++j) close += scores[j] <= limit;
  index_t best = 0;
  while (scores[best] > limit) ++best;
  if (close == 1) return best;
  double shortest = squared_distance(x, centroids + best * stride, d);
  for (index_t j = best + 1; j < k; ++j) {
    if (scores[j] > limit) continue;
    const double distance = squared_distance(x, centroids + j * stride, d);
    if (distance < shortest) shortest = distance, best = j;
  }
  return best;
}

}  // namespace mor1e::backend
