// Definitions of peft/matching.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "mor1e/peft/matching.hpp"

namespace mor1e::peft {

namespace detail {

/// The method with another value of a size, and of what is a part of it as large a share; its scale is kept.
inline any_method resized(const any_method& method, const described_field& size, int count) {
  any_method out = method;
  out.set(size.about.key, count);
  const double ratio = double(count) / std::get<int>(size.value);
  for (const described_field& part : method.fields())
    if (part.about.part_of && std::string_view(part.about.part_of) == size.about.key)
      if (const int own = std::get<int>(part.value))
        out.set(part.about.key, std::max(1, int(std::lround(own * ratio))));
  out.rescale(method.scale() / out.scale());
  return out;
}

}  // namespace detail

MOR1E_INLINE any_method match_parameters(const any_method& method, std::span<const linear_size> linears,
                                         std::int64_t parameters) {
  any_method best = method;
  std::int64_t nearest = std::abs(cost_on(method, linears).parameters - parameters);
  for (const described_field& size : method.fields()) {
    if (size.about.least == 0) continue;
    const auto cost = [&](int count) { return cost_on(detail::resized(method, size, count), linears).parameters; };
    // Costs grow with the size: the two around the target.
    constexpr int most = 1 << 20;
    int low = size.about.least, high = std::max(low + 1, std::get<int>(size.value));
    while (cost(high) < parameters && high < most) high *= 2;
    while (high - low > 1) (cost((low + high) / 2) < parameters ? low : high) = (low + high) / 2;
    for (const int count : {low, high})
      if (const std::int64_t off = std::abs(cost(count) - parameters); off < nearest)
        nearest = off, best = detail::resized(method, size, count);
  }
  return best;
}

MOR1E_INLINE adapter_spec scaled(const adapter_spec& spec, double factor) {
  require<value_error>(factor > 0 && std::isfinite(factor), "scale: a factor of ", factor);
  adapter_spec out = spec;
  out.method.rescale(factor);
  return out;
}

}  // namespace mor1e::peft
