// The parts of attention on the CPU: tiles of queries or keys, one a lane, blocks of scores, softmax by lane.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "mor1e/backend/cpu/device.hpp"
#include "mor1e/backend/cpu/tile_product.hpp"
#include "mor1e/core/attention_shape.hpp"
#include "mor1e/core/math.hpp"

namespace mor1e::backend::detail {

/// Lanes of a tile, and rows of a block of scores.
template <class T>
inline constexpr int tile_lanes = 2 * pack_size<T>;
inline constexpr int score_rows = 64;

template <class T>
struct alignas(64) score_block {
  T at[score_rows][tile_lanes<T>];
};

/// [head_dim, lanes]: vectors by lane.
template <class T>
struct alignas(64) lane_vectors {
  T at[max_head_dim][tile_lanes<T>];

  /// Lane r becomes scale * from(r)[0 ... dim) for r < count, zero beyond.
  template <class F>
  void load(int count, int dim, T scale, const F& from) {
    if (count < tile_lanes<T>) std::fill(at[0], at[dim], T(0));
    for (int r = 0; r < count; ++r) {
      const T* vector = from(r);
      for (int c = 0; c < dim; ++c) at[c][r] = scale * vector[c];
    }
  }
};

/// [lanes, head_dim]: sums by lane.
template <class T>
struct alignas(64) lane_sums {
  T at[tile_lanes<T> * max_head_dim];
};

/// s_jr = <row j, vector r>
template <class T>
void scores(index_t rows, int dim, const T* row, index_t stride, const lane_vectors<T>& vectors, score_block<T>& s) {
  std::fill(s.at[0], s.at[rows], T(0));
  tile_product<T>(rows, tile_lanes<T>, dim, {row, stride, 1}, vectors.at[0], tile_lanes<T>, s.at[0], tile_lanes<T>);
}

/// The positions of a tile's lanes, in ascending order, and the slopes of their heads.
template <class T>
struct lane_places {
  std::int32_t position[tile_lanes<T>];
  T slope[tile_lanes<T>];
  int count;

  void fill_up() {
    for (int r = count; r < tile_lanes<T>; ++r) position[r] = position[count - 1], slope[r] = 0;
  }

  /// Scores of rows at positions first, first + 1, ...: the bias of ALiBi is added, what must not be seen becomes
  /// -infinity. Lanes are queries and rows keys if `sign` is 1, the reverse if -1.
  void mask(const attention_shape& a, index_t first, index_t rows, int sign, score_block<T>& s) const {
    const auto unlimited = std::int32_t(1) << 30;
    const std::int32_t most = a.window > 0 ? a.window - 1 : unlimited, least = a.causal ? 0 : -most;
    const auto range = std::uint32_t(most) - std::uint32_t(least);
    const auto hidden = [=](std::int32_t distance) { return std::uint32_t(distance) - std::uint32_t(least) > range; };
    for (index_t j = 0; j < rows; ++j) {
      const auto at = std::int32_t(first + j);
      T* row = s.at[j];
      if (a.alibi) {
#pragma omp simd
        for (int r = 0; r < tile_lanes<T>; ++r) row[r] -= slope[r] * T(std::abs(position[r] - at));
      }
      // Lanes ascend, so if both ends are seen all are.
      if (!hidden(sign * (position[0] - at)) && !hidden(sign * (position[count - 1] - at))) continue;
#pragma omp simd
      for (int r = 0; r < tile_lanes<T>; ++r) row[r] = hidden(sign * (position[r] - at)) ? T(-INFINITY) : row[r];
    }
  }
};

/// A tile of one segment: its (query, head) pairs [first, first + count) of one key head, query by query.
template <class T>
struct query_tile {
  segment of;
  int kv_head = 0;
  index_t first = 0;
  lane_places<T> lanes;

  index_t row(const attention_shape& a, int r) const { return of.begin + (first + r) / a.group(); }
  int head(const attention_shape& a, int r) const { return kv_head * a.group() + int((first + r) % a.group()); }
  /// The positions that any of its queries sees.
  index_span seen(const attention_shape& a) const {
    return {seen_keys(a, of, lanes.position[0]).begin, seen_keys(a, of, lanes.position[lanes.count - 1]).end};
  }
};

template <class T>
index_t tiles_of(const attention_shape& a, const segment& s) {
  return (query_count(s) * a.group() + tile_lanes<T> - 1) / tile_lanes<T> * a.kv_heads;
}

/// f(tile) for every query tile, in parallel; within a segment the last, under a causal mask the longest, first.
template <class T, class F>
void each_query_tile(cpu& device, const attention_shape& a, view<const std::int32_t> segments, const F& f) {
  index_t tasks = 0;
  for (index_t n = 0; n < segments.rows; ++n) tasks += tiles_of<T>(a, segment_at(segments, n));
  parallel_tasks(device.threads(), tasks, [&](index_t task, int) {
    query_tile<T> tile;
    for (index_t n = 0;; ++n) {
      tile.of = segment_at(segments, n);
      const index_t tiles = tiles_of<T>(a, tile.of);
      if (task < tiles) {
        tile.first = (tiles - 1 - task) / a.kv_heads * tile_lanes<T>;
        tile.kv_head = int(task % a.kv_heads);
        break;
      }
      task -= tiles;
    }
    tile.lanes.count = int(std::min<index_t>(tile_lanes<T>, query_count(tile.of) * a.group() - tile.first));
    for (int r = 0; r < tile.lanes.count; ++r) {
      tile.lanes.position[r] = std::int32_t(query_position(tile.of, (tile.first + r) / a.group()));
      tile.lanes.slope[r] = a.alibi ? T(alibi_slope(tile.head(a, r), a.heads)) : T(0);
    }
    tile.lanes.fill_up();
    f(tile);
  });
}

/// f(position, rows, row of the first) for blocks of adjacent keys that cover the positions `seen`.
template <class F>
void each_key_block(const segment& s, index_span seen, const F& f) {
  for (index_t at = seen.begin, rows; at < seen.end; at += rows) {
    const index_t end = at < prefix_length(s) ? std::min(prefix_length(s), seen.end) : seen.end;
    rows = std::min<index_t>(score_rows, end - at);
    f(at, rows, key_row(s, at));
  }
}

/// f(row) for the rows that no segment has as queries.
template <class F>
void each_free_row(view<const std::int32_t> segments, index_t rows, const F& f) {
  index_t row = 0;
  for (index_t n = 0; n < segments.rows; ++n) {
    const segment s = segment_at(segments, n);
    if (s.begin == s.end) continue;
    for (; row < s.begin; ++row) f(row);
    row = s.end;
  }
  for (; row < rows; ++row) f(row);
}

/// Keys of one segment among the rows of a tile: `count` adjacent ones, the first at `row` and at `position`.
struct key_piece {
  index_t row, position;
  int count;
};

/// f(segment, piece) for every segment that has keys among the rows [begin, end).
template <class F>
void each_key_piece(view<const std::int32_t> segments, index_t begin, index_t end, const F& f) {
  for (index_t n = 0; n < segments.rows; ++n) {
    const segment s = segment_at(segments, n);
    if (s.begin == s.end) continue;
    const auto part = [&](index_t row, index_t count, index_t position) {
      const index_t first = std::max(row, begin), last = std::min(row + count, end);
      if (first < last) f(s, key_piece{first, position + first - row, int(last - first)});
    };
    part(s.prefix_begin, prefix_length(s), 0);
    part(s.keys, query_count(s), prefix_length(s));
  }
}

/// Softmax over keys that come block by block: largest score and sum so far, by lane.
template <class T>
struct running_softmax {
  T largest[tile_lanes<T>], sum[tile_lanes<T>];

  running_softmax() {
    // Finite, so that the difference of two such is 0 and not NaN.
    std::fill(std::begin(largest), std::end(largest), T(-1e30));
    std::fill(std::begin(sum), std::end(sum), T(0));
  }

  /// s = exp(s - largest), and the sums so far are brought to the new largest. Returns by lane what the outputs so far
  /// are to be multiplied by, in `scale`; false if that is one for all.
  bool add(index_t rows, score_block<T>& s, T* scale) {
    using pack = typename pack<T>::type;
    constexpr int size = pack_size<T>;
    bool changed = false;
    for (int p = 0; p < tile_lanes<T>; p += size) {
      pack before, now;
      std::memcpy(&before, largest + p, sizeof(pack));
      now = before;
      for (index_t j = 0; j < rows; ++j) {
        pack one;
        std::memcpy(&one, s.at[j] + p, sizeof(pack));
        now = one > now ? one : now;
      }
      std::memcpy(largest + p, &now, sizeof(pack));
      std::memcpy(scale + p, &before, sizeof(pack));
    }
    for (int r = 0; r < tile_lanes<T>; ++r) changed |= scale[r] != largest[r];
    if (changed) {
#pragma omp simd
      for (int r = 0; r < tile_lanes<T>; ++r) {
        scale[r] = math::exp(scale[r] - largest[r]);
        sum[r] *= scale[r];
      }
    }
    for (index_t j = 0; j < rows; ++j) {
#pragma omp simd
      for (int r = 0; r < tile_lanes<T>; ++r) {
        const T e = math::exp(s.at[j][r] - largest[r]);
        s.at[j][r] = e;
        sum[r] += e;
      }
    }
    return changed;
  }
};

}  // namespace mor1e::backend::detail
