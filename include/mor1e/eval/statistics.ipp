#pragma once

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
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

MOR1E_INLINE interval paired_bootstrap(std::span<const double> first, std::span<const double> second, index_t resamples,
                                       double confidence, std::uint64_t seed) {
  require<value_error>(first.size() == second.size(), "paired_bootstrap: ", first.size(), " items against ",
                       second.size());
  require<value_error>(!first.empty() && resamples > 0, "paired_bootstrap: ", first.size(), " items, ", resamples,
                       " resamples");
  require<value_error>(confidence > 0 && confidence < 1, "paired_bootstrap: confidence ", confidence,
                       " is outside (0, 1)");
  rng random(seed);
  std::vector<double> means(static_cast<std::size_t>(resamples));
  for (double& mean : means) {
    double sum = 0;
    for (std::size_t i = 0; i < first.size(); ++i) {
      const std::size_t item = random.below(first.size());
      sum += second[item] - first[item];
    }
    mean = sum / double(first.size());
  }
  std::sort(means.begin(), means.end());
  const auto quantile = [&](double q) { return means[std::size_t(std::lround(q * double(resamples - 1)))]; };
  return {quantile((1 - confidence) / 2), quantile((1 + confidence) / 2)};
}

MOR1E_INLINE interval mean_interval(std::span<const double> values) {
  require<value_error>(!values.empty(), "mean_interval: no values");
  // The 97.5 % quantile of Student's distribution by its degrees of freedom; beyond 30 within 2 % of the normal's.
  constexpr double t[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                          2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                          2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  const std::size_t n = values.size();
  if (n < 2) return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  double mean = 0, squares = 0;
  for (const double v : values) mean += v / double(n);
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double half = (n - 2 < std::size(t) ? t[n - 2] : 2.042) * std::sqrt(squares / double(n - 1) / double(n));
  return {mean - half, mean + half};
}

}  // namespace mor1e::eval
