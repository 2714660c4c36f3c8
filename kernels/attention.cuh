// Scaled dot-product attention over packed sequences, in tiles that stay in shared memory and registers.
//
// A tile is rows of (query, head) pairs, the heads that share a key head side by side, and passes over blocks of keys
// (forward, dq); or key rows, and passes over the pairs that see them (dk, dv). What multiplies is the type `Tile`:
// plain_tile in fp32, tensor_core_tile in bf16. Every element is written by one block in a fixed order, hence the same
// bits in every run. No score outlives its tile: the backward computes them again from lse. Scores are kept as powers
// of two (exp2 is one instruction); lse is stored to base e.
#pragma once

#include <type_traits>

#include "mor1e/backend/cuda/attention.hpp"
#include "mor1e/kernels/attention_mma_tile.cuh"
#include "mor1e/kernels/attention_plain_tile.cuh"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

namespace detail {

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

/// Output and lse of a tile from part blockIdx.z of its keys, normalised in itself. Of several parts, part z goes to
/// rows [z T, (z + 1) T) of out and lse, and a row without keys in a part has lse -infinity.
template <class Tile>
__global__ __launch_bounds__(Tile::threads, 1) void attention_forward(attention_call call, device_view<const float> q,
                                                                      device_view<const float> k,
                                                                      device_view<const float> v,
                                                                      device_view<const std::int32_t> segments,
                                                                      device_view<float> out, device_view<float> lse) {
  using element = typename Tile::element;
  constexpr int R = Tile::rows, C = Tile::columns, size = Tile::size, block = Tile::block, stride = Tile::stride;
  extern __shared__ __align__(16) unsigned char shared[];
  element *queries = reinterpret_cast<element*>(shared), *keys = queries + size * stride,
          *values = keys + block * stride;
  float *scores = reinterpret_cast<float*>(values + block * stride), *slopes = scores + Tile::score_floats;
  const attention_shape& a = call.shape;
  const int group = a.group(), kv_head = int(blockIdx.y);
  const int first_row = int(blockIdx.z) * int(q.rows);
  const pair_tile tile = find_tile(segments, int(q.rows), group, size, int(gridDim.x - 1 - blockIdx.x));

  float sum[R][Tile::sums] = {}, largest[R], denominator[R];
#pragma unroll
  for (int i = 0; i < R; ++i) largest[i] = -INFINITY, denominator[i] = 0;

  if (tile.live) {
    const index_t of_key = kv_head * a.key_head_stride;
    Tile::load_rows(queries, size, a.head_dim, call.vectors, [&](int r) {
      return r < tile.count ? row(q, tile.row(group, r)) + tile.head(group, r, kv_head) * a.query_head_stride : nullptr;
    });
    if (a.alibi && threadIdx.x < size) slopes[threadIdx.x] = pair_slope(a, tile, int(threadIdx.x), kv_head);
    int position[R];
#pragma unroll
    for (int i = 0; i < R; ++i) position[i] = int(query_position(tile.of, tile.query(group, Tile::row(i))));
    const seen_keys_of_tile seen(a, tile);
    // Whole blocks to each part.
    const int blocks = (seen.end - seen.begin + block - 1) / block,
              of_part = (blocks + call.parts - 1) / call.parts * block;
    const int begin = seen.begin + int(blockIdx.z) * of_part, end = min(seen.end, begin + of_part);
    const auto load = [&](element* to, const device_view<const float>& from, int at) {
      Tile::load_rows(to, block, a.head_dim, call.vectors,
                      [&, at](int r) { return at + r < end ? row(from, key_row(tile.of, at + r)) + of_key : nullptr; });
    };
    if (begin < end) load(keys, k, begin);
    for (int at = begin; at < end; at += block) {
      Tile::copied();
      __syncthreads();  // keys are there, and nobody reads values any more
      load(values, v, at);
      float s[R][C];
      Tile::row_products(queries, keys, s);
      const bool whole = at >= seen.shared_begin && at + block <= min(seen.shared_end, end);
#pragma unroll
      for (int i = 0; i < R; ++i) {
        float most = -INFINITY;
#pragma unroll
        for (int j = 0; j < C; ++j) {
          const int key = at + Tile::column(j);
          s[i][j] *= call.scale;
          if (a.alibi) s[i][j] -= slopes[Tile::row(i)] * float(abs(position[i] - key));
          if (!whole && (call.hides(position[i], key) || key >= end)) s[i][j] = -INFINITY;
          most = fmaxf(most, s[i][j]);
        }
        most = fmaxf(largest[i], largest_of_row<Tile>(most));
        const float shift = most == -INFINITY ? 0.0f : most, shrink = exp2f(largest[i] - shift);
        largest[i] = most;
        denominator[i] *= shrink;
#pragma unroll
        for (int u = 0; u < Tile::sums; ++u) sum[i][u] *= shrink;
#pragma unroll
        for (int j = 0; j < C; ++j) {
          s[i][j] = exp2f(s[i][j] - shift);
          denominator[i] += s[i][j];
        }
      }
      Tile::store_scores(s, scores);
      Tile::copied();
      __syncthreads();  // values and scores are there, and nobody reads keys any more
      if (at + block < end) load(keys, k, at + block);
      Tile::add_product(s, scores, values, sum);
    }
  }

#pragma unroll
  for (int i = 0; i < R; ++i) {
    const int r = Tile::row(i);
    denominator[i] = sum_of_row<Tile>(denominator[i]);
    if (r >= tile.count) continue;
    const int at = first_row + tile.row(group, r), head = tile.head(group, r, kv_head);
    const bool seen = denominator[i] > 0;
    write_columns<Tile>(row(out, at) + head * a.head_dim, a.head_dim, seen ? 1 / denominator[i] : 0.0f, sum[i], 0.0f);
    if (lse.address() && place_in_row<Tile>() == 0)
      row(lse, at)[head] = seen ? (largest[i] + log2f(denominator[i])) * ln_2 : call.parts > 1 ? -INFINITY : 0.0f;
  }
}

/// out = sum_z exp(lse_z - lse) out_z with lse = log sum_z exp lse_z, one warp a row and head; zeros where there is
/// none.
static __global__ void join_parts(int head_dim, int parts, device_view<const float> part_out,
                                  device_view<const float> part_lse, device_view<float> out, device_view<float> lse) {
  const index_t task = (index_t(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  const int heads = int(part_lse.cols), lane = int(threadIdx.x) % 32;
  if (task >= out.rows * heads) return;
  const index_t at = task / heads;
  const int head = int(task % heads);
  float largest = -INFINITY, sum = 0;
  for (int z = 0; z < parts; ++z) largest = fmaxf(largest, row(part_lse, z * out.rows + at)[head]);
  const float shift = largest == -INFINITY ? 0.0f : largest;
  for (int z = 0; z < parts; ++z) sum += expf(row(part_lse, z * out.rows + at)[head] - shift);
  const float share = sum > 0 ? 1 / sum : 0.0f;
  for (int c = lane; c < head_dim; c += 32) {
    float y = 0;
    for (int z = 0; z < parts; ++z) {
      const index_t from = z * out.rows + at;
      y += expf(row(part_lse, from)[head] - shift) * row(part_out, from)[head * head_dim + c];
    }
    row(out, at)[head * head_dim + c] = share * y;
  }
  if (lse.address() && lane == 0) row(lse, at)[head] = sum > 0 ? largest + logf(sum) : 0.0f;
}

/// dq of a tile, and delta = <dout, out>.
template <class Tile>
__global__ __launch_bounds__(Tile::threads, 1) void attention_query_gradient(
    attention_call call, device_view<const float> q, device_view<const float> k, device_view<const float> v,
    device_view<const std::int32_t> segments, device_view<const float> out, device_view<const float> lse,
    device_view<const float> dout, float beta, device_view<float> dq, device_view<float> delta) {
  using element = typename Tile::element;
  constexpr int R = Tile::rows, C = Tile::columns, size = Tile::size, block = Tile::block, stride = Tile::stride;
  extern __shared__ __align__(16) unsigned char shared[];
  element *queries = reinterpret_cast<element*>(shared), *cotangents = queries + size * stride,
          *keys = cotangents + size * stride, *values = keys + block * stride;
  float *scores = reinterpret_cast<float*>(values + block * stride), *norms = scores + Tile::score_floats,
        *dots = norms + size, *slopes = dots + size;
  const attention_shape& a = call.shape;
  const int group = a.group(), kv_head = int(blockIdx.y);
  const pair_tile tile = find_tile(segments, int(q.rows), group, size, int(gridDim.x - 1 - blockIdx.x));
  float sum[R][Tile::sums] = {};

  if (tile.live) {
    const index_t of_key = kv_head * a.key_head_stride;
    const auto row_of = [&](const device_view<const float>& m, int r, index_t head_stride) {
      return r < tile.count ? row(m, tile.row(group, r)) + tile.head(group, r, kv_head) * head_stride : nullptr;
    };
    Tile::load_rows(queries, size, a.head_dim, call.vectors, [&](int r) { return row_of(q, r, a.query_head_stride); });
    Tile::load_rows(cotangents, size, a.head_dim, call.vectors, [&](int r) { return row_of(dout, r, a.head_dim); });
    Tile::copied();
    __syncthreads();
    if (a.alibi && threadIdx.x < size) slopes[threadIdx.x] = pair_slope(a, tile, int(threadIdx.x), kv_head);
    int position[R];
#pragma unroll
    for (int i = 0; i < R; ++i) {
      const int r = Tile::row(i), head = tile.head(group, r, kv_head);
      position[i] = int(query_position(tile.of, tile.query(group, r)));
      float dot = 0;
      if (r < tile.count) {
        const element* g = cotangents + r * stride;
        const float* o = row(out, tile.row(group, r)) + head * a.head_dim;
        for (int c = place_in_row<Tile>(); c < a.head_dim; c += Tile::sharing) dot += float(g[c]) * o[c];
      }
      dot = sum_of_row<Tile>(dot);
      if (place_in_row<Tile>() > 0) continue;
      dots[r] = dot;
      norms[r] = r < tile.count ? row(lse, tile.row(group, r))[head] * log2_e : 0.0f;
      if (r < tile.count) row(delta, tile.row(group, r))[head] = dot;
    }
    const seen_keys_of_tile seen(a, tile);
    for (int at = seen.begin; at < seen.end; at += block) {
      const auto row_at = [&](const device_view<const float>& m, int r) {
        return at + r < seen.end ? row(m, key_row(tile.of, at + r)) + of_key : nullptr;
      };
      Tile::load_rows(keys, block, a.head_dim, call.vectors, [&](int r) { return row_at(k, r); });
      Tile::load_rows(values, block, a.head_dim, call.vectors, [&](int r) { return row_at(v, r); });
      Tile::copied();
      __syncthreads();
      float s[R][C], ds[R][C];
      Tile::row_products(queries, keys, s);
      Tile::row_products(cotangents, values, ds);
      const bool whole = at >= seen.shared_begin && at + block <= seen.shared_end;
#pragma unroll
      for (int i = 0; i < R; ++i) {
        const int r = Tile::row(i);
        const float norm = norms[r], dot = dots[r];
#pragma unroll
        for (int j = 0; j < C; ++j) {
          const int key = at + Tile::column(j);
          float score = s[i][j] * call.scale - norm;
          if (a.alibi) score -= slopes[r] * float(abs(position[i] - key));
          const bool hidden = !whole && (call.hides(position[i], key) || key >= seen.end);
          ds[i][j] = hidden ? 0.0f : exp2f(score) * (ds[i][j] - dot);
        }
      }
      Tile::store_scores(ds, scores);
      __syncwarp();  // the scores of a row are those of one warp
      Tile::add_product(ds, scores, keys, sum);
      __syncthreads();  // before the next keys
    }
  }
#pragma unroll
  for (int i = 0; i < R; ++i) {
    const int r = Tile::row(i);
    if (r >= tile.count) continue;
    float* to = row(dq, tile.row(group, r)) + tile.head(group, r, kv_head) * a.query_head_stride;
    write_columns<Tile>(to, a.head_dim, float(a.scale), sum[i], beta);
  }
}

/// dk and dv of a tile of key rows, from all segments that see them.
template <class Tile>
__global__ __launch_bounds__(Tile::threads, 1) void attention_key_gradient(
    attention_call call, device_view<const float> q, device_view<const float> k, device_view<const float> v,
    device_view<const std::int32_t> segments, device_view<const float> lse, device_view<const float> dout,
    device_view<const float> delta, float beta, device_view<float> dk, device_view<float> dv) {
  using element = typename Tile::element;
  constexpr int R = Tile::rows, C = Tile::columns, size = Tile::size, block = Tile::block, stride = Tile::stride;
  extern __shared__ __align__(16) unsigned char shared[];
  element *keys = reinterpret_cast<element*>(shared), *values = keys + size * stride, *queries = values + size * stride,
          *cotangents = queries + block * stride;
  float *scores = reinterpret_cast<float*>(cotangents + block * stride), *norms = scores + Tile::score_floats,
        *dots = norms + block, *slopes = dots + block;
  const attention_shape& a = call.shape;
  const int group = a.group(), kv_head = int(blockIdx.y);
  const int begin = int(blockIdx.x) * size, end = min(int(k.rows), begin + size);
  const index_t of_key = kv_head * a.key_head_stride;
  float key_sum[R][Tile::sums] = {}, value_sum[R][Tile::sums] = {};

  const auto row_of = [&](const device_view<const float>& m, int r) {
    return begin + r < end ? row(m, begin + r) + of_key : nullptr;
  };
  Tile::load_rows(keys, size, a.head_dim, call.vectors, [&](int r) { return row_of(k, r); });
  Tile::load_rows(values, size, a.head_dim, call.vectors, [&](int r) { return row_of(v, r); });

  for (int n = 0; n < segments.rows; ++n) {
    const segment s = load_segment(segments, n);
    if (s.begin == s.end) continue;
    // The rows of the tile may be keys of a segment as its prefix and as its own.
    for (int own = 0; own < 2; ++own) {
      const int first_row = own ? s.keys : s.prefix_begin, rows = int(own ? query_count(s) : prefix_length(s));
      const int from = max(first_row, begin), to = min(first_row + rows, end);
      if (from >= to) continue;
      const int shift = int(own ? prefix_length(s) : 0) - first_row;  // position of a key less its row
      const index_span queries_seeing = seeing_queries(a, s, from + shift, to - 1 + shift);
      const int pairs = int(queries_seeing.end) * group;
      for (int at = int(queries_seeing.begin) * group; at < pairs; at += block) {
        const pair_tile tile{s, at, min(block, pairs - at), true};
        __syncthreads();  // nobody reads the last queries any more
        const auto pair_row = [&](const device_view<const float>& m, int r, index_t head_stride) {
          return r < tile.count ? row(m, tile.row(group, r)) + tile.head(group, r, kv_head) * head_stride : nullptr;
        };
        Tile::load_rows(queries, block, a.head_dim, call.vectors,
                        [&](int r) { return pair_row(q, r, a.query_head_stride); });
        Tile::load_rows(cotangents, block, a.head_dim, call.vectors,
                        [&](int r) { return pair_row(dout, r, a.head_dim); });
        if (threadIdx.x < block) {
          const int r = int(threadIdx.x), head = tile.head(group, r, kv_head);
          const bool there = r < tile.count;
          norms[r] = there ? row(lse, tile.row(group, r))[head] * log2_e : 0.0f;
          dots[r] = there ? row(delta, tile.row(group, r))[head] : 0.0f;
          if (a.alibi) slopes[r] = pair_slope(a, tile, r, kv_head);
        }
        Tile::copied();
        __syncthreads();
        float p[R][C], ds[R][C];
        Tile::row_products(keys, queries, p);
        Tile::row_products(values, cotangents, ds);
#pragma unroll
        for (int j = 0; j < C; ++j) {
          const int r = Tile::column(j), position = int(query_position(s, tile.query(group, r)));
          const float norm = norms[r], dot = dots[r];
#pragma unroll
          for (int i = 0; i < R; ++i) {
            const int row = begin + Tile::row(i);
            float score = p[i][j] * call.scale - norm;
            if (a.alibi) score -= slopes[r] * float(abs(position - row - shift));
            const bool hidden = row < from || row >= to || call.hides(position, row + shift);
            p[i][j] = hidden ? 0.0f : exp2f(score);
            ds[i][j] = p[i][j] * (ds[i][j] - dot);
          }
        }
        Tile::store_scores(p, scores);
        __syncwarp();  // the scores of a row are those of one warp
        Tile::add_product(p, scores, cotangents, value_sum);
        __syncwarp();
        Tile::store_scores(ds, scores);
        __syncwarp();
        Tile::add_product(ds, scores, queries, key_sum);
      }
    }
  }
  Tile::copied();
#pragma unroll
  for (int i = 0; i < R; ++i) {
    const int at = begin + Tile::row(i);
    if (at >= end) continue;
    write_columns<Tile>(row(dk, at) + of_key, a.head_dim, float(a.scale), key_sum[i], beta);
    write_columns<Tile>(row(dv, at) + of_key, a.head_dim, 1.0f, value_sum[i], beta);
  }
}

/// Rows begin + i of segment blockIdx.y go to rows keys + i.
static __global__ void cache_keys(attention_shape a, device_view<const float> k,
                                  device_view<const std::int32_t> segments, device_view<float> cache) {
  const segment s = load_segment(segments, int(blockIdx.y));
  const int width = a.kv_heads * a.head_dim;
  const index_t elements = query_count(s) * width;
  for (index_t e = index_t(blockIdx.x) * blockDim.x + threadIdx.x; e < elements; e += index_t(gridDim.x) * blockDim.x) {
    const index_t i = e / width;
    const int j = int(e % width);
    row(cache, s.keys + i)[j] = row(k, s.begin + i)[j / a.head_dim * a.key_head_stride + j % a.head_dim];
  }
}

/// f with the head size that tiles are compiled for: the least that holds head_dim.
template <class F>
void with_head_size(int head_dim, const F& f) {
  if (head_dim <= 32) return f(std::integral_constant<int, 32>{});
  if (head_dim <= 64) return f(std::integral_constant<int, 64>{});
  if (head_dim <= 80) return f(std::integral_constant<int, 80>{});
  if (head_dim <= 128) return f(std::integral_constant<int, 128>{});
  f(std::integral_constant<int, max_head_dim>{});
}

/// Whether all heads of a matrix begin at multiples of 16 bytes.
inline bool by_vectors(const device_view<const float>& m, index_t head_stride) {
  return reinterpret_cast<std::uintptr_t>(m.address()) % 16 == 0 && m.stride % 4 == 0 && head_stride % 4 == 0;
}

/// The most tiles that `find_tile` finds: one more for every end of a segment or of the rows before it.
inline unsigned tile_limit(index_t rows, int group, index_t segments, int size) {
  return unsigned((rows * group + size - 1) / size + 2 * segments + 1);
}

template <class Kernel, class... Arguments>
void launch_with_shared(launch_target target, Kernel* kernel, dim3 grid, int threads, std::size_t bytes,
                        const Arguments&... arguments) {
  if (bytes > 48 * 1024)
    MOR1E_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes)));
  kernel<<<grid, threads, bytes, target.stream>>>(arguments...);
  check_launch("attention");
}

}  // namespace detail

template <class T>
void attention_forward(launch_target target, const attention_shape& a, bool bf16, device_view<const T> q,
                       device_view<const T> k, device_view<const T> v, device_view<const std::int32_t> segments,
                       int parts, device_view<T> out, device_view<T> lse) {
  using namespace detail;
  static_assert(std::is_same_v<T, float>, "attention is compiled for float");
  if (q.rows == 0) return;
  const attention_call call{a,
                            a.head_dim % 4 == 0 && by_vectors(q, a.query_head_stride) &&
                                by_vectors(k, a.key_head_stride) && by_vectors(v, a.key_head_stride),
                            parts};
  const auto run = [&]<class Tile>(std::type_identity<Tile>) {
    const dim3 grid(tile_limit(q.rows, a.group(), segments.rows, Tile::size), unsigned(a.kv_heads), unsigned(parts));
    launch_with_shared(target, detail::attention_forward<Tile>, grid, Tile::threads, forward_bytes<Tile>, call, q, k, v,
                       segments, out, lse);
  };
  with_head_size(a.head_dim, [&](auto head_size) {
    constexpr int dim = decltype(head_size)::value;
    // Sequences of a few queries, as in generation, wait for memory: short tiles, and wide blocks of keys.
    if (q.rows * a.group() <= 16 * segments.rows)
      run(std::type_identity<plain_tile<dim, 1, (dim > 128 ? 2 : 4)>>{});
    else if (bf16)
      run(std::type_identity<tensor_core_tile<dim, (dim > 128 ? 4 : 8)>>{});
    else
      run(std::type_identity<plain_tile<dim, 4, 2>>{});
  });
}

template <class T>
void join_attention_parts(launch_target target, const attention_shape& a, int parts, device_view<const T> part_out,
                          device_view<const T> part_lse, device_view<T> out, device_view<T> lse) {
  using namespace detail;
  const index_t tasks = out.rows * a.heads;
  if (tasks == 0) return;
  join_parts<<<unsigned((tasks + 7) / 8), 256, 0, target.stream>>>(a.head_dim, parts, part_out, part_lse, out, lse);
  check_launch("attention");
}

template <class T>
void attention_backward(launch_target target, const attention_shape& a, bool bf16, device_view<const T> q,
                        device_view<const T> k, device_view<const T> v, device_view<const std::int32_t> segments,
                        device_view<const T> out, device_view<const T> lse, device_view<const T> dout, T beta,
                        device_view<T> dq, device_view<T> dk, device_view<T> dv, device_view<T> delta) {
  using namespace detail;
  static_assert(std::is_same_v<T, float>, "attention is compiled for float");
  const attention_call call{a, a.head_dim % 4 == 0 && by_vectors(q, a.query_head_stride) &&
                                   by_vectors(k, a.key_head_stride) && by_vectors(v, a.key_head_stride) &&
                                   by_vectors(dout, a.head_dim)};
  const auto query_gradient = [&]<class Tile>(std::type_identity<Tile>) {
    if (q.rows == 0) return;
    launch_with_shared(target, attention_query_gradient<Tile>,
                       dim3(tile_limit(q.rows, a.group(), segments.rows, Tile::size), unsigned(a.kv_heads)),
                       Tile::threads, backward_bytes<Tile>, call, q, k, v, segments, out, lse, dout, beta, dq, delta);
  };
  const auto key_gradient = [&]<class Tile>(std::type_identity<Tile>) {
    if (k.rows == 0) return;
    launch_with_shared(target, attention_key_gradient<Tile>,
                       dim3(unsigned((k.rows + Tile::size - 1) / Tile::size), unsigned(a.kv_heads)), Tile::threads,
                       backward_bytes<Tile>, call, q, k, v, segments, lse, dout, device_view<const T>(delta), beta, dk,
                       dv);
  };
  with_head_size(a.head_dim, [&](auto head_size) {
    constexpr int dim = decltype(head_size)::value;
    using plain = plain_tile<dim, (dim > 128 ? 2 : 4), 2>;
    using tensor_core = tensor_core_tile<dim, 4>;
    if (bf16)
      query_gradient(std::type_identity<tensor_core>{});
    else
      query_gradient(std::type_identity<plain>{});
    // Two sums of heads of 256 do not fit the registers of four warps.
    if constexpr (dim <= 128)
      if (bf16) return key_gradient(std::type_identity<tensor_core>{});
    key_gradient(std::type_identity<plain>{});
  });
}

template <class T>
void cache_keys(launch_target target, const attention_shape& a, device_view<const T> k,
                device_view<const std::int32_t> segments, device_view<T> cache) {
  if (k.rows == 0 || segments.rows == 0) return;
  const index_t elements = k.rows * a.kv_heads * a.head_dim;
  const unsigned blocks = unsigned(std::min<index_t>((elements + 255) / 256, 64));
  detail::cache_keys<<<dim3(blocks, unsigned(segments.rows)), 256, 0, target.stream>>>(a, k, segments, cache);
  check_launch("cache_keys");
}

}  // namespace mor1e::backend::kernels
