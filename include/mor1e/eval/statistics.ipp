#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "mor1e/core/rng.hpp"
#include "mor1e/eval/statistics.hpp"

namespace mor1e::eval {

MOR1E_INLINE interval wilson(index_t hits, index_t count, double z) {
  require<value_error>(0 <= hits && hits <= count, "wilson: ", hits, " hits of ", count, " items");
  if (count == 0) return {0, 1};
  const double n = double(count), rate = double(hits) / n, spread = z * z / n;
  const double centre = (rate + spread / 2) / (1 + spread);
  const double half = std::sqrt(spread * (rate * (1 - rate) + spread / 4)) / (1 + spread);
  // The bounds are exactly 0 and 1 at the ends; rounding must not leave them beside.
  return {hits == 0 ? 0 : centre - half, hits == count ? 1 : centre + half};
}

MOR1E_INLINE double mcnemar_exact(index_t only_first, index_t only_second) {
  require<value_error>(only_first >= 0 && only_second >= 0, "mcnemar: ", only_first, " against ", only_second,
                       " items");
  const index_t count = only_first + only_second, fewer = std::min(only_first, only_second);
  if (only_first == only_second) return 1;  // both tails hold the middle: their sum exceeds one
  // Binomials as logarithms: 2^-count underflows beyond a thousand items.
  double tail = 0;
  for (index_t k = 0; k <= fewer; ++k)
    tail += std::exp(std::lgamma(count + 1.) - std::lgamma(k + 1.) - std::lgamma(count - k + 1.) -
                     double(count) * std::log(2.));
  return std::min(1., 2 * tail);
}

MOR1E_INLINE interval grouped_bootstrap(std::span<const std::vector<double>> differences, index_t resamples,
                                        double confidence, std::uint64_t seed) {
  require<value_error>(!differences.empty() && resamples > 0, "bootstrap: ", differences.size(), " groups, ", resamples,
                       " resamples");
  for (const std::vector<double>& group : differences)
    require<value_error>(!group.empty(), "bootstrap: a group without items");
  require<value_error>(confidence > 0 && confidence < 1, "bootstrap: confidence ", confidence, " is outside (0, 1)");
  rng random(seed);
  std::vector<double> means(static_cast<std::size_t>(resamples), 0.);
  for (double& mean : means)
    for (const std::vector<double>& group : differences) {
      double sum = 0;
      for (std::size_t i = 0; i < group.size(); ++i) sum += group[random.below(group.size())];
      mean += sum / double(group.size()) / double(differences.size());
    }
  std::sort(means.begin(), means.end());
  const auto quantile = [&](double q) { return means[std::size_t(std::lround(q * double(resamples - 1)))]; };
  return {quantile((1 - confidence) / 2), quantile((1 + confidence) / 2)};
}

MOR1E_INLINE interval paired_bootstrap(std::span<const double> first, std::span<const double> second, index_t resamples,
                                       double confidence, std::uint64_t seed) {
  require<value_error>(first.size() == second.size(), "paired_bootstrap: ", first.size(), " items against ",
                       second.size());
  std::vector<double> differences;
  for (std::size_t i = 0; i < first.size(); ++i) differences.push_back(second[i] - first[i]);
  return grouped_bootstrap(std::span(&std::as_const(differences), 1), resamples, confidence, seed);
}

MOR1E_INLINE double student_cdf(double t, index_t degrees) {
  require<value_error>(degrees >= 1, "student_cdf: ", degrees, " degrees of freedom");
  // P(|T| <= t) with tan(angle) = t / sqrt(degrees), as a sum of powers of the cosine.
  const double angle = std::atan2(t, std::sqrt(double(degrees))), square = std::cos(angle) * std::cos(angle);
  const bool odd = degrees % 2;
  double term = odd ? std::cos(angle) : 1, sum = degrees > 1 ? term : 0;
  for (index_t k = odd ? 3 : 2; k < degrees; k += 2) {
    term *= square * double(k - 1) / double(k);
    sum += term;
  }
  const double inside = odd ? 2 / std::acos(-1.) * (angle + std::sin(angle) * sum) : std::sin(angle) * sum;
  return 0.5 + inside / 2;
}

MOR1E_INLINE double student_quantile(double p, index_t degrees) {
  require<value_error>(p > 0 && p < 1, "student_quantile: ", p, " is outside (0, 1)");
  double low = -1, high = 1;
  while (student_cdf(low, degrees) > p) low *= 2;
  while (student_cdf(high, degrees) < p) high *= 2;
  for (int halvings = 0; halvings < 100; ++halvings) {
    const double middle = low + (high - low) / 2;
    (student_cdf(middle, degrees) < p ? low : high) = middle;
  }
  return high;
}

namespace detail {

/// Mean and its standard error.
struct estimate {
  double mean = 0, error = 0;
  explicit estimate(std::span<const double> values) {
    const double n = double(values.size());
    double squares = 0;
    for (const double v : values) mean += v / n;
    for (const double v : values) squares += (v - mean) * (v - mean);
    error = std::sqrt(squares / (n - 1) / n);
  }
};

}  // namespace detail

MOR1E_INLINE interval mean_interval(std::span<const double> values) {
  require<value_error>(!values.empty(), "mean_interval: no values");
  const index_t n = index_t(values.size());
  if (n < 2) return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  const detail::estimate of(values);
  const double half = student_quantile(0.975, n - 1) * of.error;
  return {of.mean - half, of.mean + half};
}

MOR1E_INLINE double mean_test(std::span<const double> differences) {
  const index_t n = index_t(differences.size());
  if (n < 2) return 1;
  const detail::estimate of(differences);
  if (of.error == 0) return 1;
  return 2 * student_cdf(-std::abs(of.mean) / of.error, n - 1);
}

MOR1E_INLINE double equivalence(std::span<const double> differences, double margin) {
  require<value_error>(margin > 0, "equivalence: a margin of ", margin);
  const index_t n = index_t(differences.size());
  if (n < 2) return 1;
  const detail::estimate of(differences);
  // The further the nearer bound is from the mean, in standard errors, the less likely a mean beyond it.
  const double room = margin - std::abs(of.mean);
  if (of.error == 0) return 1;
  return 1 - student_cdf(room / of.error, n - 1);
}

MOR1E_INLINE std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  for (const double one : p) require<value_error>(one >= 0 && one <= 1, "holm: ", one, " is no p-value");
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> out(p.size());
  double largest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    largest = std::max(largest, std::min(1., double(p.size() - k) * p[order[k]]));
    out[order[k]] = largest;
  }
  return out;
}

}  // namespace mor1e::eval
