// Attention: the gradient of queries by tiles of queries, those of keys and values by tiles of keys.
#pragma once

#include "mor1e/kernels/attention_pairs.cuh"

namespace mor1e::backend::kernels::detail {

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
    Tile::load_rows(queries, size, a.head_dim, call.vectors,
                    [&](int r) { return tile.address(q, group, r, kv_head, a.query_head_stride); });
    Tile::load_rows(cotangents, size, a.head_dim, call.vectors,
                    [&](int r) { return tile.address(dout, group, r, kv_head, a.head_dim); });
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
        Tile::load_rows(queries, block, a.head_dim, call.vectors,
                        [&](int r) { return tile.address(q, group, r, kv_head, a.query_head_stride); });
        Tile::load_rows(cotangents, block, a.head_dim, call.vectors,
                        [&](int r) { return tile.address(dout, group, r, kv_head, a.head_dim); });
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

}  // namespace mor1e::backend::kernels::detail
