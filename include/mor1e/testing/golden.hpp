// Reference fixtures: where they are, and how close a result must be.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "mor1e/core/shape.hpp"

namespace mor1e::testing {

/// The folder of the golden fixtures: the environment variable MOR1E_GOLDEN, else tests/golden of the source tree
/// (macro MOR1E_SOURCE_DIR of the including target, else of the current folder).
inline std::filesystem::path golden_folder() {
#ifdef MOR1E_SOURCE_DIR
  const std::filesystem::path source = MOR1E_SOURCE_DIR;
#else
  const std::filesystem::path source = ".";
#endif
  const char* given = std::getenv("MOR1E_GOLDEN");
  return given && *given ? std::filesystem::path(given) : source / "tests" / "golden";
}

/// ours is close to ref where |ours - ref| <= atol + rtol |ref| + mtol max|ref|.
/// All zero means equal. The maximum is over the finite values of the whole reference tensor.
struct closeness {
  double atol = 0, rtol = 0, mtol = 0;
};

/// The element that misses the rule by most, as text; empty if all are close. NaN fails on either side, an infinity
/// unless both are the same.
///
///     CHECK(violation(ours.data(), ref.data(), ref.size(), {.atol = 1e-5}) == "");
template <class Ours, class Reference>
std::string violation(const Ours* ours, const Reference* ref, index_t count, closeness rule) {
  double largest = 0;
  for (index_t i = 0; i < count; ++i)
    if (const double r = std::fabs(double(ref[i])); std::isfinite(r)) largest = std::max(largest, r);

  index_t worst = -1, failures = 0;
  double worst_excess = 0;
  for (index_t i = 0; i < count; ++i) {
    const double o = double(ours[i]), r = double(ref[i]);
    if (o == r) continue;
    const double excess = std::fabs(o - r) - (rule.atol + rule.rtol * std::fabs(r) + rule.mtol * largest);
    if (excess <= 0) continue;
    ++failures;
    // Something not finite is worse than any distance, and the first of its kind is the one worth looking at.
    const double rank = std::isfinite(excess) ? excess : HUGE_VAL;
    if (worst < 0 || rank > worst_excess) worst = i, worst_excess = rank;
  }
  if (worst < 0) return "";
  std::ostringstream out;
  out.precision(9);
  out << failures << " of " << count << " differ, most at [" << worst << "]: ours " << double(ours[worst])
      << ", reference " << double(ref[worst]) << ", difference " << double(ours[worst]) - double(ref[worst])
      << ", largest reference " << largest;
  return out.str();
}

}  // namespace mor1e::testing
