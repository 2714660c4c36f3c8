// Rows of (query, head) pairs: how attention is cut into tiles, and which keys a tile sees.
#pragma once

#include "mor1e/backend/cuda/attention.hpp"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels::detail {

inline constexpr float log2_e = 1.44269504f, ln_2 = 0.693147181f;

/// The number of this thread among those of its tile that share rows with it.
template <class Tile>
__device__ int place_in_row() {
  return int(threadIdx.x) % Tile::sharing;
}
/// The sum, or the largest, of what these have
template <class Tile>
__device__ float sum_of_row(float x) {
#pragma unroll
  for (int o = Tile::sharing / 2; o > 0; o /= 2) x += __shfl_xor_sync(0xffffffffu, x, o);
  return x;
}
template <class Tile>
__device__ float largest_of_row(float x) {
#pragma unroll
  for (int o = Tile::sharing / 2; o > 0; o /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, o));
  return x;
}

/// to_c = scale sum_c + beta to_c for the columns of a thread below head_dim
template <class Tile>
__device__ void write_columns(float* to, int head_dim, float scale, const float (&sum)[Tile::sums], float beta) {
#pragma unroll
  for (int u = 0; u < Tile::sums; ++u) {
    const int c = Tile::sum_column(u);
    if (c < head_dim) to[c] = blend(scale * sum[u], beta, to[c]);
  }
}

__device__ inline segment load_segment(device_view<const std::int32_t> segments, int n) {
  const std::int32_t* f = row(segments, n);
  return {f[0], f[1], f[2], f[3], f[4]};
}

/// Pairs [first, first + count) of the rows of `of`, a segment or (`live` false) rows that belong to none.
struct pair_tile {
  segment of;
  int first, count;
  bool live;

  __device__ int query(int group, int r) const { return (first + r) / group; }
  __device__ int row(int group, int r) const { return of.begin + query(group, r); }
  __device__ int head(int group, int r, int kv_head) const { return kv_head * group + (first + r) % group; }
  /// Where pair r begins in a matrix whose heads lie head_stride apart; null behind the last.
  __device__ const float* address(device_view<const float> m, int group, int r, int kv_head,
                                  index_t head_stride) const {
    return r < count ? kernels::row(m, row(group, r)) + head(group, r, kv_head) * head_stride : nullptr;
  }
};

/// The rows [0, rows) are cut at the ends of segments, and what lies between into tiles of `size` pairs. Finds number
/// `number` of them; a count of 0 if there are fewer. Called by all threads.
__device__ inline pair_tile find_tile(device_view<const std::int32_t> segments, int rows, int group, int size,
                                      int number) {
  __shared__ pair_tile found;
  if (threadIdx.x == 0) found = {{0, 0, 0, 0, 0}, 0, 0, false};
  __syncwarp();
  if (threadIdx.x < 32) {
    const int lane = int(threadIdx.x);
    int tiles_before = 0, rows_before = 0;
    for (int base = 0; base <= segments.rows && tiles_before <= number; base += 32) {
      const int n = base + lane;
      segment s{rows, rows, 0, 0, 0};  // stands behind the last one
      if (n < segments.rows) s = load_segment(segments, n);
      const bool used = n == segments.rows || (n < segments.rows && s.begin < s.end);
      int end = used ? s.end : 0, before = 0;
      for (int o = 1; o < 32; o *= 2) {
        const int other = __shfl_up_sync(0xffffffffu, end, o);
        if (lane >= o) end = max(end, other);
      }
      before = __shfl_up_sync(0xffffffffu, end, 1);
      before = lane == 0 ? rows_before : max(before, rows_before);
      const int gap = used ? (s.begin - before) * group : 0, pairs = used ? (s.end - s.begin) * group : 0;
      const int in_gap = (gap + size - 1) / size, tiles = in_gap + (pairs + size - 1) / size;
      int up_to = tiles;
      for (int o = 1; o < 32; o *= 2) {
        const int other = __shfl_up_sync(0xffffffffu, up_to, o);
        if (lane >= o) up_to += other;
      }
      const int at = number - (tiles_before + up_to - tiles);
      if (at >= 0 && at < in_gap)
        found = {{before, s.begin, 0, 0, 0}, at * size, min(size, gap - at * size), false};
      else if (at >= in_gap && at < tiles)
        found = {s, (at - in_gap) * size, min(size, pairs - (at - in_gap) * size), true};
      tiles_before += __shfl_sync(0xffffffffu, up_to, 31);
      rows_before = max(rows_before, __shfl_sync(0xffffffffu, end, 31));
    }
  }
  __syncthreads();
  return found;
}

/// What the kernels are given besides the matrices.
struct attention_call {
  attention_shape shape;
  bool vectors;               // all rows of heads begin at multiples of 16 bytes
  int parts = 1;              // of the keys, each with an output of its own
  float scale = 0;            // of scores that are powers of two
  int before = 0, after = 0;  // a query at p sees keys at p - before to p + after

  attention_call(const attention_shape& a, bool vectors, int parts = 1)
      : shape(a), vectors(vectors), parts(parts), scale(float(a.scale * 1.4426950408889634)) {
    constexpr int far = 1 << 30;  // beyond any position, and no overflow when one is added
    before = a.window > 0 ? a.window - 1 : far;
    after = a.causal ? 0 : before;
  }
  __device__ bool hides(int query, int key) const { return key < query - before || key > query + after; }
};

/// Keys [begin, end) of the segment that any of the queries of a tile sees, and [shared_begin, shared_end) that all do.
struct seen_keys_of_tile {
  int begin, end, shared_begin, shared_end;

  __device__ seen_keys_of_tile(const attention_shape& a, const pair_tile& tile) {
    const int group = a.group();
    const index_span first = seen_keys(a, tile.of, query_position(tile.of, tile.query(group, 0))),
                     last = seen_keys(a, tile.of, query_position(tile.of, tile.query(group, tile.count - 1)));
    begin = int(first.begin), end = int(last.end), shared_begin = int(last.begin), shared_end = int(first.end);
  }
};

/// The slope of the pair's head for scores that are powers of two
__device__ inline float pair_slope(const attention_shape& a, const pair_tile& tile, int r, int kv_head) {
  return r < tile.count ? float(alibi_slope(tile.head(a.group(), r, kv_head), a.heads)) * log2_e : 0.0f;
}

/// Shared memory of the kernels: rows of operands, then floats.
template <class Tile>
inline constexpr std::size_t forward_bytes = sizeof(typename Tile::element) *
                                                 (Tile::size + 2 * Tile::block) * Tile::stride
                                             + sizeof(float) * (Tile::score_floats + Tile::size);
template <class Tile>
inline constexpr std::size_t backward_bytes =
    sizeof(typename Tile::element) * 2 * (Tile::size + Tile::block) * Tile::stride +
    sizeof(float) * (Tile::score_floats + 3 * (Tile::size > Tile::block ? Tile::size : Tile::block));

}  // namespace mor1e::backend::kernels::detail
