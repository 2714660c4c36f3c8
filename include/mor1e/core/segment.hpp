// Which rows of a packed batch belong together.
#pragma once

#include <cstdint>

namespace mor1e {

/// One sequence among the packed rows. Its queries are rows [begin, end). They see, in this order, the key rows
/// [prefix_begin, prefix_end) (a shared prompt, or what a cache holds), and their own keys, which start at row `keys`
/// (equal to `begin` when keys and queries are rows of the same matrix); under a causal mask query begin + i sees own
/// keys 0 ... i. A plan holds a fixed number of segments; those with begin == end are empty.
struct segment {
  std::int32_t begin = 0;
  std::int32_t end = 0;
  std::int32_t keys = 0;
  std::int32_t prefix_begin = 0;
  std::int32_t prefix_end = 0;
};
/// Columns of the int32 matrix in which segments lie on a tape.
inline constexpr int segment_fields = 5;
static_assert(sizeof(segment) == segment_fields * sizeof(std::int32_t));

}  // namespace mor1e
