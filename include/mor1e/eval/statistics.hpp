// How sure an accuracy is: intervals and paired tests.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e::eval {

struct interval {
  double low = 0;
  double high = 0;
};

/// The standard normal quantile of a two-sided 95 % interval.
inline constexpr double normal_95 = 1.959963984540054;

/// Wilson's score interval of the proportion `hits / count`: the p with |p - hits / count| <= z sqrt(p (1 - p) /
/// count). Nothing observed, nothing known: [0, 1] for a count of 0. Throws `value_error` unless 0 <= hits <= count.
MOR1E_INLINE interval wilson(index_t hits, index_t count, double z = normal_95);

/// Exact two-sided McNemar test of two methods on the same items: the p-value of a fair coin showing a split at least
/// as uneven as `only_first` against `only_second`, the numbers of items that one method alone has right.
/// Throws `value_error` for a negative number.
MOR1E_INLINE double mcnemar_exact(index_t only_first, index_t only_second);

/// Percentile bootstrap interval of mean(second - first), items resampled in pairs (Efron).
/// Throws `value_error` for spans of different lengths, no items, no resamples or a confidence outside (0, 1).
MOR1E_INLINE interval paired_bootstrap(std::span<const double> first, std::span<const double> second,
                                       index_t resamples = 10000, double confidence = 0.95, std::uint64_t seed = 0);

/// Percentile bootstrap interval of the mean over groups of each group's mean difference, items resampled within their
/// group: the groups, such as tasks, are the ones there are. Throws `value_error` for no group or an empty one, no
/// resamples or a confidence outside (0, 1).
MOR1E_INLINE interval grouped_bootstrap(std::span<const std::vector<double>> differences, index_t resamples = 10000,
                                        double confidence = 0.95, std::uint64_t seed = 0);

/// P(T <= t) of Student's distribution with this many degrees of freedom, at least 1. Exact: a finite sum (Abramowitz
/// and Stegun, 26.7.3 and 26.7.4).
MOR1E_INLINE double student_cdf(double t, index_t degrees);
/// The t with P(T <= t) = p, 0 < p < 1.
MOR1E_INLINE double student_quantile(double p, index_t degrees);

/// Student's 95 % interval of the mean of independent values, such as one a seed: mean +- t s / sqrt(n). All reals for
/// fewer than two. Throws `value_error` for none.
MOR1E_INLINE interval mean_interval(std::span<const double> values);

/// p-value of a mean of 0 (paired t-test, two-sided). 1 for fewer than two differences, and for equal
/// ones: a spread of 0 says nothing of the next.
MOR1E_INLINE double mean_test(std::span<const double> differences);

/// Whether the mean of paired differences is within +- margin: the larger p-value of two one-sided t-tests (TOST), of
/// mean <= -margin and of mean >= margin. A small one says "equivalent"; a large one says nothing. The margin is stated
/// before the differences are seen. 1 for fewer than two differences, and for equal ones. Throws `value_error` unless
/// margin > 0.
MOR1E_INLINE double equivalence(std::span<const double> differences, double margin);

/// p-values of a family of tests, adjusted so that the chance of any false alarm is held (Holm's step-down): each is
/// compared with the level as it stands. Throws `value_error` for one outside [0, 1].
MOR1E_INLINE std::vector<double> holm(std::span<const double> p);

}  // namespace mor1e::eval

#ifndef MOR1E_COMPILED
#include "mor1e/eval/statistics.ipp"
#endif
