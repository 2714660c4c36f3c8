// Attention: outputs and lse of tiles, and the parts of a long cache joined.
#pragma once

#include "mor1e/kernels/attention_pairs.cuh"

namespace mor1e::backend::kernels::detail {

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
    Tile::load_rows(queries, size, a.head_dim, call.vectors,
                    [&](int r) { return tile.address(q, group, r, kv_head, a.query_head_stride); });
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

}  // namespace mor1e::backend::kernels::detail
