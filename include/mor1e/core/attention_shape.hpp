// Who attends to whom: the numbers of an attention, and which keys a query sees.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "mor1e/core/config.hpp"
#include "mor1e/core/segment.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e {

/// Query head h lies in columns [h s, h s + head_dim) of its matrix, s = `query_head_stride`, and shares key and value
/// head h / (heads / kv_heads) with its neighbours; those lie `key_head_stride` apart. Other strides than head_dim
/// read heads that are interleaved with something else.
struct attention_shape {
  int heads = 1;
  int kv_heads = 1;
  int head_dim = 1;
  double scale = 1;    ///< on the scores
  int window = 0;      ///< a key is seen from less than this many positions away; 0: from anywhere
  bool causal = true;  ///< no key after the query is seen
  bool alibi = false;  ///< scores fall by alibi_slope(head) for each position of distance
  index_t query_head_stride = head_dim;
  index_t key_head_stride = head_dim;

  MOR1E_HD int group() const { return heads / kv_heads; }
};

/// Largest head_dim that back ends have to serve.
inline constexpr int max_head_dim = 256;

/// Slope of a head, 2^(-8 (h + 1) / n) for n heads; where n is no power of two, the heads past the largest power p
/// below it take every other slope of 2p heads. Source: Press, Smith and Lewis 2022.
MOR1E_HD inline double alibi_slope(int head, int heads) {
  int p = 1;
  while (2 * p <= heads) p *= 2;
  return head < p ? std::exp2(-8.0 * (head + 1) / p) : std::exp2(-4.0 * (2 * (head - p) + 1) / p);
}

/// Positions, or rows, [begin, end).
struct index_span {
  index_t begin = 0;
  index_t end = 0;
};

/// Row s of the int32 matrix [S, segment_fields].
inline segment segment_at(view<const std::int32_t> segments, index_t s) {
  const std::int32_t* f = segments.row(s);
  return {f[0], f[1], f[2], f[3], f[4]};
}
MOR1E_HD inline index_t query_count(const segment& s) { return s.end - s.begin; }
MOR1E_HD inline index_t prefix_length(const segment& s) { return s.prefix_end - s.prefix_begin; }

/// Keys are counted in the order of the sequence: the prefix, then the segment's own. Query i is at the position of
/// own key i.
MOR1E_HD inline index_t query_position(const segment& s, index_t i) { return prefix_length(s) + i; }
MOR1E_HD inline index_t key_count(const segment& s) { return prefix_length(s) + query_count(s); }
MOR1E_HD inline index_t key_row(const segment& s, index_t position) {
  return position < prefix_length(s) ? s.prefix_begin + position : s.keys + position - prefix_length(s);
}

/// The positions of the keys that a query at `position` sees.
MOR1E_HD inline index_span seen_keys(const attention_shape& a, const segment& s, index_t position) {
  // No std::min and std::max: device code cannot call them.
  const index_t keys = key_count(s), after = position + a.window;
  return {a.window > 0 && position >= a.window ? position - a.window + 1 : 0, a.causal ? position + 1
                                                                              : a.window > 0 && after < keys ? after
                                                                                                             : keys};
}

/// The queries [begin, end) of a segment that see any of its keys at positions [first, last].
MOR1E_HD inline index_span seeing_queries(const attention_shape& a, const segment& s, index_t first, index_t last) {
  const index_t before = prefix_length(s), count = query_count(s);
  const index_t begin = (a.causal ? first : a.window > 0 ? first - a.window + 1 : 0) - before;
  const index_t end = (a.window > 0 ? last + a.window : key_count(s)) - before;
  return {begin > 0 ? begin : 0, end < count ? end : count};
}

/// Throws a value_error unless segments that hold queries are in order, apart from each other and inside the matrices.
inline void check_segments(view<const std::int32_t> segments, index_t query_rows, index_t key_rows) {
  index_t free = 0;
  for (index_t i = 0; i < segments.rows; ++i) {
    const segment s = segment_at(segments, i);
    if (s.begin == s.end) continue;
    require<value_error>(free <= s.begin && s.begin < s.end && s.end <= query_rows, "attention: segment ", i,
                         " has queries [", s.begin, ", ", s.end, "), to lie in [", free, ", ", query_rows, ")");
    require<value_error>(0 <= s.keys && s.keys + query_count(s) <= key_rows, "attention: segment ", i, " has keys [",
                         s.keys, ", ", s.keys + query_count(s), ") of ", key_rows, " rows");
    require<value_error>(0 <= s.prefix_begin && s.prefix_begin <= s.prefix_end && s.prefix_end <= key_rows,
                         "attention: segment ", i, " has the prefix [", s.prefix_begin, ", ", s.prefix_end, ") of ",
                         key_rows, " rows");
    free = s.end;
  }
}

}  // namespace mor1e
