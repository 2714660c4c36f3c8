// Five numbers that tell a distribution.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace mor1e {

/// Minimum, quartiles and maximum, all of them among the values; none of none.
inline std::vector<double> quartiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::vector<double> out;
  for (std::size_t k = 0; k <= 4 && !values.empty(); ++k) out.push_back(values[(values.size() - 1) * k / 4]);
  return out;
}

}  // namespace mor1e
