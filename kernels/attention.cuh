// Scaled dot-product attention over packed sequences, in tiles that stay in shared memory and registers.
//
// A tile is 16 R rows of (query, head) pairs, the heads that share a key head side by side, and passes over blocks of
// keys (forward, dq); or 16 R key rows, and passes over the pairs that see them (dk, dv). 256 threads form a grid of 16
// by 16: a thread has R rows, each 16th column of scores, and Dim / 16 columns of the result, so that the scores of a
// row stay in half a warp. Every element is written by one block in a fixed order, hence the same bits in every run. No
// score outlives its tile: the backward computes them again from lse. Scores are kept as powers of two (exp2 is one
// instruction); lse is stored to base e.
#pragma once

#include <cuda_pipeline.h>
#include <type_traits>

#include "mor1e/backend/cuda/attention.hpp"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

namespace detail {

inline constexpr float log2_e = 1.44269504f, ln_2 = 0.693147181f;
inline constexpr int attention_threads = 256;

/// Rows of `Dim` floats in shared memory. The four behind them put rows that 8 threads read at a time by float4 into
/// different banks.
template <int Dim>
inline constexpr int tile_stride = Dim + 4;

/// Which of the Dim / 16 columns of a thread is column number `u`: runs of `run` neighbours, for wide loads.
template <int Dim>
struct thread_columns {
  static constexpr int count = Dim / 16, run = count % 4 == 0 ? 4 : count % 2 == 0 ? 2 : 1;
  static __device__ int column(int u) { return u / run * 16 * run + int(threadIdx.x) % 16 * run + u % run; }
};

/// Rows [0, rows) of a tile: row(i) is where one begins, or null for zeros. Columns from head_dim on are zeros. The
/// copies are asynchronous: `copied()` waits for those of this thread.
template <int Dim, class F>
__device__ void load_rows(float* to, int rows, int head_dim, bool vectors, const F& row) {
  if (vectors) {
    for (int e = threadIdx.x; e < rows * (Dim / 4); e += attention_threads) {
      const int i = e / (Dim / 4), c = e % (Dim / 4) * 4;
      const float* from = row(i);
      float* at = to + i * tile_stride<Dim> + c;
      if (from && c < head_dim)
        __pipeline_memcpy_async(at, from + c, 16);
      else
        *reinterpret_cast<float4*>(at) = float4{0, 0, 0, 0};
    }
  } else {
    for (int e = threadIdx.x; e < rows * Dim; e += attention_threads) {
      const int i = e / Dim, c = e % Dim;
      const float* from = row(i);
      float* at = to + i * tile_stride<Dim> + c;
      if (from && c < head_dim)
        __pipeline_memcpy_async(at, from + c, 4);
      else
        *at = 0;
    }
  }
  __pipeline_commit();
}
__device__ inline void copied() { __pipeline_wait_prior(0); }

/// s_ij = <row y R + i of a, row x + 16 j of b>
template <int Dim, int R, int C>
__device__ void row_products(const float* a, const float* b, float (&s)[R][C]) {
  const float* rows = a + threadIdx.x / 16 * R * tile_stride<Dim>;
  const float* columns = b + threadIdx.x % 16 * tile_stride<Dim>;
#pragma unroll
  for (int i = 0; i < R; ++i)
#pragma unroll
    for (int j = 0; j < C; ++j) s[i][j] = 0;
#pragma unroll 2
  for (int d = 0; d < Dim; d += 4) {
    float4 x[R], y[C];
#pragma unroll
    for (int i = 0; i < R; ++i) x[i] = *reinterpret_cast<const float4*>(rows + i * tile_stride<Dim> + d);
#pragma unroll
    for (int j = 0; j < C; ++j) y[j] = *reinterpret_cast<const float4*>(columns + 16 * j * tile_stride<Dim> + d);
#pragma unroll
    for (int i = 0; i < R; ++i)
#pragma unroll
      for (int j = 0; j < C; ++j) s[i][j] += x[i].x * y[j].x + x[i].y * y[j].y + x[i].z * y[j].z + x[i].w * y[j].w;
  }
}

/// Scores of a thread into the tile [16 R, 16 C] from which `add_product` reads whole rows.
template <int R, int C>
__device__ void store_scores(const float (&s)[R][C], float* to) {
#pragma unroll
  for (int i = 0; i < R; ++i)
#pragma unroll
    for (int j = 0; j < C; ++j)
      to[(threadIdx.x / 16 * R + i) * tile_stride<16 * C> + threadIdx.x % 16 + 16 * j] = s[i][j];
}

/// sum_iu += sum_k p_ik b_k,column(u)
template <int Dim, int R, int C>
__device__ void add_product(const float* p, const float* b, float (&sum)[R][Dim / 16]) {
  using columns = thread_columns<Dim>;
  const float* rows = p + threadIdx.x / 16 * R * tile_stride<16 * C>;
#pragma unroll 2
  for (int k = 0; k < 16 * C; k += 4) {
    float x[R][4];
#pragma unroll
    for (int i = 0; i < R; ++i) {
      const float4 four = *reinterpret_cast<const float4*>(rows + i * tile_stride<16 * C> + k);
      x[i][0] = four.x, x[i][1] = four.y, x[i][2] = four.z, x[i][3] = four.w;
    }
#pragma unroll
    for (int l = 0; l < 4; ++l)
#pragma unroll
      for (int u = 0; u < columns::count; u += columns::run) {
        using pack =
            std::conditional_t<columns::run == 4, float4, std::conditional_t<columns::run == 2, float2, float>>;
        const pack loaded = *reinterpret_cast<const pack*>(b + (k + l) * tile_stride<Dim> + columns::column(u));
        const float* y = reinterpret_cast<const float*>(&loaded);
#pragma unroll
        for (int i = 0; i < R; ++i)
#pragma unroll
          for (int w = 0; w < columns::run; ++w) sum[i][u + w] += x[i][l] * y[w];
      }
  }
}

/// to_c = scale sum_c + beta to_c for the columns of a thread below head_dim
template <int Dim>
__device__ void write_columns(float* to, int head_dim, float scale, const float (&sum)[Dim / 16], float beta) {
#pragma unroll
  for (int u = 0; u < Dim / 16; ++u) {
    const int c = thread_columns<Dim>::column(u);
    if (c < head_dim) to[c] = blend(scale * sum[u], beta, to[c]);
  }
}

/// The sum, or the largest, of the 16 threads that share rows
__device__ inline float sum_of_16(float x) {
#pragma unroll
  for (int o = 8; o > 0; o /= 2) x += __shfl_xor_sync(0xffffffffu, x, o, 16);
  return x;
}
__device__ inline float largest_of_16(float x) {
#pragma unroll
  for (int o = 8; o > 0; o /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, o, 16));
  return x;
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

template <int Dim, int R, int C>
inline constexpr std::size_t forward_bytes = sizeof(float) * ((16 * R + 2 * 16 * C) * tile_stride<Dim> +
                                                              16 * R * tile_stride<16 * C> + 16 * R);
template <int Dim, int R, int C>
inline constexpr std::size_t backward_bytes = sizeof(float) * (2 * (16 * R + 16 * C) * tile_stride<Dim> +
                                                               16 * R * tile_stride<16 * C> + 3 * 16 * (R > C ? R : C));

/// Output and lse of a tile from part blockIdx.z of its keys, normalised in itself. Of several parts, part z goes to
/// rows [z T, (z + 1) T) of out and lse, and a row without keys in a part has lse -infinity.
template <int Dim, int R, int C>
__global__ __launch_bounds__(attention_threads,
                             1) void attention_forward(attention_call call, device_view<const float> q,
                                                       device_view<const float> k, device_view<const float> v,
                                                       device_view<const std::int32_t> segments, device_view<float> out,
                                                       device_view<float> lse) {
  constexpr int size = 16 * R, block = 16 * C;
  extern __shared__ __align__(16) float shared[];
  float *queries = shared, *keys = queries + size * tile_stride<Dim>, *values = keys + block * tile_stride<Dim>,
        *scores = values + block * tile_stride<Dim>, *slopes = scores + size * tile_stride<block>;
  const attention_shape& a = call.shape;
  const int group = a.group(), kv_head = int(blockIdx.y), y = int(threadIdx.x) / 16, x = int(threadIdx.x) % 16;
  const int first_row = int(blockIdx.z) * int(q.rows);
  const pair_tile tile = find_tile(segments, int(q.rows), group, size, int(gridDim.x - 1 - blockIdx.x));

  float sum[R][Dim / 16] = {}, largest[R], denominator[R];
#pragma unroll
  for (int i = 0; i < R; ++i) largest[i] = -INFINITY, denominator[i] = 0;

  if (tile.live) {
    const index_t of_key = kv_head * a.key_head_stride;
    load_rows<Dim>(queries, size, a.head_dim, call.vectors, [&](int r) {
      return r < tile.count ? row(q, tile.row(group, r)) + tile.head(group, r, kv_head) * a.query_head_stride : nullptr;
    });
    if (a.alibi && threadIdx.x < size) slopes[threadIdx.x] = pair_slope(a, tile, int(threadIdx.x), kv_head);
    int position[R];
#pragma unroll
    for (int i = 0; i < R; ++i) position[i] = int(query_position(tile.of, tile.query(group, y * R + i)));
    const seen_keys_of_tile seen(a, tile);
    // Whole blocks to each part.
    const int blocks = (seen.end - seen.begin + block - 1) / block,
              of_part = (blocks + call.parts - 1) / call.parts * block;
    const int begin = seen.begin + int(blockIdx.z) * of_part, end = min(seen.end, begin + of_part);
    const auto load = [&](float* to, const device_view<const float>& from, int at) {
      load_rows<Dim>(to, block, a.head_dim, call.vectors,
                     [&, at](int r) { return at + r < end ? row(from, key_row(tile.of, at + r)) + of_key : nullptr; });
    };
    if (begin < end) load(keys, k, begin);
    for (int at = begin; at < end; at += block) {
      copied();
      __syncthreads();  // keys are there, and nobody reads values any more
      load(values, v, at);
      float s[R][C];
      row_products<Dim>(queries, keys, s);
      const bool whole = at >= seen.shared_begin && at + block <= min(seen.shared_end, end);
#pragma unroll
      for (int i = 0; i < R; ++i) {
        float most = -INFINITY;
#pragma unroll
        for (int j = 0; j < C; ++j) {
          const int key = at + x + 16 * j;
          s[i][j] *= call.scale;
          if (a.alibi) s[i][j] -= slopes[y * R + i] * float(abs(position[i] - key));
          if (!whole && (call.hides(position[i], key) || key >= end)) s[i][j] = -INFINITY;
          most = fmaxf(most, s[i][j]);
        }
        most = fmaxf(largest[i], largest_of_16(most));
        const float shift = most == -INFINITY ? 0.0f : most, shrink = exp2f(largest[i] - shift);
        largest[i] = most;
        denominator[i] *= shrink;
#pragma unroll
        for (int u = 0; u < Dim / 16; ++u) sum[i][u] *= shrink;
#pragma unroll
        for (int j = 0; j < C; ++j) {
          s[i][j] = exp2f(s[i][j] - shift);
          denominator[i] += s[i][j];
        }
      }
      store_scores(s, scores);
      copied();
      __syncthreads();  // values and scores are there, and nobody reads keys any more
      if (at + block < end) load(keys, k, at + block);
      add_product<Dim, R, C>(scores, values, sum);
    }
  }

#pragma unroll
  for (int i = 0; i < R; ++i) {
    const int r = y * R + i;
    denominator[i] = sum_of_16(denominator[i]);
    if (r >= tile.count) continue;
    const int at = first_row + tile.row(group, r), head = tile.head(group, r, kv_head);
    const bool seen = denominator[i] > 0;
    write_columns<Dim>(row(out, at) + head * a.head_dim, a.head_dim, seen ? 1 / denominator[i] : 0.0f, sum[i], 0.0f);
    if (lse.address() && x == 0)
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
template <int Dim, int R, int C>
__global__ __launch_bounds__(attention_threads, 1) void attention_query_gradient(
    attention_call call, device_view<const float> q, device_view<const float> k, device_view<const float> v,
    device_view<const std::int32_t> segments, device_view<const float> out, device_view<const float> lse,
    device_view<const float> dout, float beta, device_view<float> dq, device_view<float> delta) {
  constexpr int size = 16 * R, block = 16 * C;
  extern __shared__ __align__(16) float shared[];
  float *queries = shared, *cotangents = queries + size * tile_stride<Dim>,
        *keys = cotangents + size * tile_stride<Dim>, *values = keys + block * tile_stride<Dim>,
        *scores = values + block * tile_stride<Dim>, *norms = scores + size * tile_stride<block>, *dots = norms + size,
        *slopes = dots + size;
  const attention_shape& a = call.shape;
  const int group = a.group(), kv_head = int(blockIdx.y), y = int(threadIdx.x) / 16, x = int(threadIdx.x) % 16;
  const pair_tile tile = find_tile(segments, int(q.rows), group, size, int(gridDim.x - 1 - blockIdx.x));
  float sum[R][Dim / 16] = {};

  if (tile.live) {
    const index_t of_key = kv_head * a.key_head_stride;
    const auto row_of = [&](const device_view<const float>& m, int r, index_t head_stride) {
      return r < tile.count ? row(m, tile.row(group, r)) + tile.head(group, r, kv_head) * head_stride : nullptr;
    };
    load_rows<Dim>(queries, size, a.head_dim, call.vectors, [&](int r) { return row_of(q, r, a.query_head_stride); });
    load_rows<Dim>(cotangents, size, a.head_dim, call.vectors, [&](int r) { return row_of(dout, r, a.head_dim); });
    copied();
    __syncthreads();
    if (a.alibi && threadIdx.x < size) slopes[threadIdx.x] = pair_slope(a, tile, int(threadIdx.x), kv_head);
    int position[R];
#pragma unroll
    for (int i = 0; i < R; ++i) {
      const int r = y * R + i, head = tile.head(group, r, kv_head);
      position[i] = int(query_position(tile.of, tile.query(group, r)));
      float dot = 0;
      if (r < tile.count) {
        const float* g = cotangents + r * tile_stride<Dim>;
        const float* o = row(out, tile.row(group, r)) + head * a.head_dim;
        for (int c = x; c < a.head_dim; c += 16) dot += g[c] * o[c];
      }
      dot = sum_of_16(dot);
      if (x > 0) continue;
      dots[r] = dot;
      norms[r] = r < tile.count ? row(lse, tile.row(group, r))[head] * log2_e : 0.0f;
      if (r < tile.count) row(delta, tile.row(group, r))[head] = dot;
    }
    const seen_keys_of_tile seen(a, tile);
    for (int at = seen.begin; at < seen.end; at += block) {
      const auto row_at = [&](const device_view<const float>& m, int r) {
        return at + r < seen.end ? row(m, key_row(tile.of, at + r)) + of_key : nullptr;
      };
      load_rows<Dim>(keys, block, a.head_dim, call.vectors, [&](int r) { return row_at(k, r); });
      load_rows<Dim>(values, block, a.head_dim, call.vectors, [&](int r) { return row_at(v, r); });
      copied();
      __syncthreads();
      float s[R][C], ds[R][C];
      row_products<Dim>(queries, keys, s);
      row_products<Dim>(cotangents, values, ds);
      const bool whole = at >= seen.shared_begin && at + block <= seen.shared_end;
#pragma unroll
      for (int i = 0; i < R; ++i) {
        const int r = y * R + i;
        const float norm = norms[r], dot = dots[r];
#pragma unroll
        for (int j = 0; j < C; ++j) {
          const int key = at + x + 16 * j;
          float score = s[i][j] * call.scale - norm;
          if (a.alibi) score -= slopes[r] * float(abs(position[i] - key));
          const bool hidden = !whole && (call.hides(position[i], key) || key >= seen.end);
          ds[i][j] = hidden ? 0.0f : exp2f(score) * (ds[i][j] - dot);
        }
      }
      store_scores(ds, scores);
      __syncwarp();  // the scores of a row are those of half a warp
      add_product<Dim, R, C>(scores, keys, sum);
      __syncthreads();  // before the next keys
    }
  }
#pragma unroll
  for (int i = 0; i < R; ++i) {
    const int r = y * R + i;
    if (r >= tile.count) continue;
    float* to = row(dq, tile.row(group, r)) + tile.head(group, r, kv_head) * a.query_head_stride;
    write_columns<Dim>(to, a.head_dim, float(a.scale), sum[i], beta);
  }
}

/// dk and dv of 16 R key rows, from all segments that see them.
template <int Dim, int R, int C>
__global__ __launch_bounds__(attention_threads, 1) void attention_key_gradient(
    attention_call call, device_view<const float> q, device_view<const float> k, device_view<const float> v,
    device_view<const std::int32_t> segments, device_view<const float> lse, device_view<const float> dout,
    device_view<const float> delta, float beta, device_view<float> dk, device_view<float> dv) {
  constexpr int size = 16 * R, block = 16 * C;
  extern __shared__ __align__(16) float shared[];
  float *keys = shared, *values = keys + size * tile_stride<Dim>, *queries = values + size * tile_stride<Dim>,
        *cotangents = queries + block * tile_stride<Dim>, *scores = cotangents + block * tile_stride<Dim>,
        *norms = scores + size * tile_stride<16 * C>, *dots = norms + block, *slopes = dots + block;
  const attention_shape& a = call.shape;
  const int group = a.group(), kv_head = int(blockIdx.y), y = int(threadIdx.x) / 16, x = int(threadIdx.x) % 16;
  const int begin = int(blockIdx.x) * size, end = min(int(k.rows), begin + size);
  const index_t of_key = kv_head * a.key_head_stride;
  float key_sum[R][Dim / 16] = {}, value_sum[R][Dim / 16] = {};

  const auto row_of = [&](const device_view<const float>& m, int r) {
    return begin + r < end ? row(m, begin + r) + of_key : nullptr;
  };
  load_rows<Dim>(keys, size, a.head_dim, call.vectors, [&](int r) { return row_of(k, r); });
  load_rows<Dim>(values, size, a.head_dim, call.vectors, [&](int r) { return row_of(v, r); });

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
        load_rows<Dim>(queries, block, a.head_dim, call.vectors,
                       [&](int r) { return pair_row(q, r, a.query_head_stride); });
        load_rows<Dim>(cotangents, block, a.head_dim, call.vectors,
                       [&](int r) { return pair_row(dout, r, a.head_dim); });
        if (threadIdx.x < block) {
          const int r = int(threadIdx.x), head = tile.head(group, r, kv_head);
          const bool there = r < tile.count;
          norms[r] = there ? row(lse, tile.row(group, r))[head] * log2_e : 0.0f;
          dots[r] = there ? row(delta, tile.row(group, r))[head] : 0.0f;
          if (a.alibi) slopes[r] = pair_slope(a, tile, r, kv_head);
        }
        copied();
        __syncthreads();
        float p[R][C], ds[R][C];
        row_products<Dim>(keys, queries, p);
        row_products<Dim>(values, cotangents, ds);
#pragma unroll
        for (int j = 0; j < C; ++j) {
          const int r = x + 16 * j, position = int(query_position(s, tile.query(group, r)));
          const float norm = norms[r], dot = dots[r];
#pragma unroll
          for (int i = 0; i < R; ++i) {
            const int row = begin + y * R + i;
            float score = p[i][j] * call.scale - norm;
            if (a.alibi) score -= slopes[r] * float(abs(position - row - shift));
            const bool hidden = row < from || row >= to || call.hides(position, row + shift);
            p[i][j] = hidden ? 0.0f : exp2f(score);
            ds[i][j] = p[i][j] * (ds[i][j] - dot);
          }
        }
        store_scores(p, scores);
        __syncwarp();  // the scores of a row are those of half a warp
        add_product<Dim, R, C>(scores, cotangents, value_sum);
        __syncwarp();
        store_scores(ds, scores);
        __syncwarp();
        add_product<Dim, R, C>(scores, queries, key_sum);
      }
    }
  }
  copied();
#pragma unroll
  for (int i = 0; i < R; ++i) {
    const int at = begin + y * R + i;
    if (at >= end) continue;
    write_columns<Dim>(row(dk, at) + of_key, a.head_dim, float(a.scale), key_sum[i], beta);
    write_columns<Dim>(row(dv, at) + of_key, a.head_dim, 1.0f, value_sum[i], beta);
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
void launch_with_shared(launch_target target, Kernel* kernel, dim3 grid, std::size_t bytes,
                        const Arguments&... arguments) {
  if (bytes > 48 * 1024)
    MOR1E_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(bytes)));
  kernel<<<grid, attention_threads, bytes, target.stream>>>(arguments...);
  check_launch("attention");
}

}  // namespace detail

template <class T>
void attention_forward(launch_target target, const attention_shape& a, device_view<const T> q, device_view<const T> k,
                       device_view<const T> v, device_view<const std::int32_t> segments, int parts, device_view<T> out,
                       device_view<T> lse) {
  using namespace detail;
  static_assert(std::is_same_v<T, float>, "attention is compiled for float");
  if (q.rows == 0) return;
  const attention_call call{a,
                            a.head_dim % 4 == 0 && by_vectors(q, a.query_head_stride) &&
                                by_vectors(k, a.key_head_stride) && by_vectors(v, a.key_head_stride),
                            parts};
  with_head_size(a.head_dim, [&](auto head_size) {
    constexpr int dim = decltype(head_size)::value;
    const auto run = [&]<int R, int C>() {
      const dim3 grid(tile_limit(q.rows, a.group(), segments.rows, 16 * R), unsigned(a.kv_heads), unsigned(parts));
      launch_with_shared(target, detail::attention_forward<dim, R, C>, grid, forward_bytes<dim, R, C>, call, q, k, v,
                         segments, out, lse);
    };
    // Sequences of a few queries, as in generation: short tiles, and wide blocks of keys.
    if (q.rows * a.group() <= 16 * segments.rows)
      run.template operator()<1, (dim > 128 ? 2 : 4)>();
    else
      run.template operator()<4, (dim > 80 ? 2 : 4)>();
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
void attention_backward(launch_target target, const attention_shape& a, device_view<const T> q, device_view<const T> k,
                        device_view<const T> v, device_view<const std::int32_t> segments, device_view<const T> out,
                        device_view<const T> lse, device_view<const T> dout, T beta, device_view<T> dq,
                        device_view<T> dk, device_view<T> dv, device_view<T> delta) {
  using namespace detail;
  static_assert(std::is_same_v<T, float>, "attention is compiled for float");
  const attention_call call{a, a.head_dim % 4 == 0 && by_vectors(q, a.query_head_stride) &&
                                   by_vectors(k, a.key_head_stride) && by_vectors(v, a.key_head_stride) &&
                                   by_vectors(dout, a.head_dim)};
  with_head_size(a.head_dim, [&](auto head_size) {
    constexpr int dim = decltype(head_size)::value;
    constexpr int R = dim > 128 ? 2 : 4, C = 2;
    if (q.rows > 0)
      launch_with_shared(target, attention_query_gradient<dim, R, C>,
                         dim3(tile_limit(q.rows, a.group(), segments.rows, 16 * R), unsigned(a.kv_heads)),
                         backward_bytes<dim, R, C>, call, q, k, v, segments, out, lse, dout, beta, dq, delta);
    if (k.rows > 0)
      launch_with_shared(target, attention_key_gradient<dim, R, C>,
                         dim3(unsigned((k.rows + 16 * R - 1) / (16 * R)), unsigned(a.kv_heads)),
                         backward_bytes<dim, R, C>, call, q, k, v, segments, lse, dout, device_view<const T>(delta),
                         beta, dk, dv);
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
