// Scaled dot-product attention over packed sequences, in tiles that stay in the first caches.
//
// Forward and dq: a tile holds as many (query, head) pairs as two registers have lanes, the heads that share a key head
// side by side, and passes over blocks of keys; scores lie key by lane, so softmax goes along lanes without a
// horizontal sum. dk and dv: the same with the parts exchanged, a tile of key rows passes over the queries that see
// them, in order. Every element is thus written by one task, whatever the number of threads and however many segments
// share a prefix. No score outlives its tile: the backward computes them again from lse.
#pragma once

#include <algorithm>
#include <cmath>

#include "mor1e/backend/cpu/attention_tile.hpp"
#include "mor1e/backend/cpu/row_loops.hpp"

namespace mor1e::backend {

/// s_j = scale <q, k_j> over the keys that the query's segment shows it; lse = log sum_j exp s_j; out = sum_j exp(s_j -
/// lse) v_j q [T, ...], k, v [K, ...], segments [S, 5] -> out [T, heads head_dim], lse [T, heads] (not written if
/// empty). Rows in no segment: 0.
template <class T>
void attention_forward(cpu& device, const attention_shape& a, view<const T> q, view<const T> k, view<const T> v,
                       view<const std::int32_t> segments, view<T> out, view<T> lse) {
  using namespace detail;
  check_segments(segments, q.rows, k.rows);
  each_free_row(segments, out.rows, [&](index_t row) {
    std::fill_n(out.row(row), a.heads * a.head_dim, T(0));
    if (lse.data) std::fill_n(lse.row(row), a.heads, T(0));
  });
  each_query_tile<T>(device, a, segments, [&](const query_tile<T>& tile) {
    const int dim = a.head_dim, count = tile.lanes.count;
    const index_t of_key = tile.kv_head * a.key_head_stride;
    lane_vectors<T> queries;
    lane_sums<T> sums;
    score_block<T> s;
    running_softmax<T> softmax;
    T scale[tile_lanes<T>];
    queries.load(count, dim, T(a.scale),
                 [&](int r) { return q.row(tile.row(a, r)) + tile.head(a, r) * a.query_head_stride; });
    std::fill_n(sums.at, count * dim, T(0));
    each_key_block(tile.of, tile.seen(a), [&](index_t at, index_t rows, index_t row) {
      scores(rows, dim, k.row(row) + of_key, k.stride, queries, s);
      tile.lanes.mask(a, at, rows, 1, s);
      if (softmax.add(rows, s, scale))
        for (int r = 0; r < count; ++r) {
          T* to = sums.at + r * dim;
#pragma omp simd
          for (int c = 0; c < dim; ++c) to[c] *= scale[r];
        }
      tile_product<T>(count, dim, rows, {s.at[0], 1, tile_lanes<T>}, v.row(row) + of_key, v.stride, sums.at, dim);
    });
    for (int r = 0; r < count; ++r) {
      const T *from = sums.at + r * dim, share = 1 / softmax.sum[r];
      T* to = out.row(tile.row(a, r)) + tile.head(a, r) * dim;
#pragma omp simd
      for (int c = 0; c < dim; ++c) to[c] = share * from[c];
      if (lse.data) lse(tile.row(a, r), tile.head(a, r)) = softmax.largest[r] + std::log(softmax.sum[r]);
    }
  });
}

namespace detail {

/// dq of every tile, and delta = <dout, out>.
template <class T>
void attention_query_gradient(cpu& device, const attention_shape& a, view<const T> q, view<const T> k, view<const T> v,
                              view<const std::int32_t> segments, view<const T> out, view<const T> lse,
                              view<const T> dout, T beta, view<T> dq, view<T> delta) {
  each_free_row(segments, dq.rows, [&](index_t row) {
    for (int h = 0; h < a.heads; ++h)
      for (int c = 0; c < a.head_dim; ++c) {
        T& to = dq(row, h * a.query_head_stride + c);
        to = blend(T(0), beta, to);
      }
  });
  each_query_tile<T>(device, a, segments, [&](const query_tile<T>& tile) {
    const int dim = a.head_dim, count = tile.lanes.count;
    const index_t of_key = tile.kv_head * a.key_head_stride;
    lane_vectors<T> queries, cotangents;
    lane_sums<T> sums;
    score_block<T> p, dp;
    T norm[tile_lanes<T>] = {}, dot[tile_lanes<T>] = {};
    queries.load(count, dim, T(a.scale),
                 [&](int r) { return q.row(tile.row(a, r)) + tile.head(a, r) * a.query_head_stride; });
    cotangents.load(count, dim, T(1), [&](int r) { return dout.row(tile.row(a, r)) + tile.head(a, r) * dim; });
    for (int r = 0; r < count; ++r) {
      const index_t row = tile.row(a, r);
      const int h = tile.head(a, r);
      const T *g = dout.row(row) + h * dim, *y = out.row(row) + h * dim;
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int c = 0; c < dim; ++c) sum += g[c] * y[c];
      delta(row, h) = dot[r] = sum;
      norm[r] = lse(row, h);
    }
    std::fill_n(sums.at, count * dim, T(0));
    each_key_block(tile.of, tile.seen(a), [&](index_t at, index_t rows, index_t row) {
      scores(rows, dim, k.row(row) + of_key, k.stride, queries, p);
      tile.lanes.mask(a, at, rows, 1, p);
      scores(rows, dim, v.row(row) + of_key, v.stride, cotangents, dp);
      for (index_t j = 0; j < rows; ++j) {
#pragma omp simd
        for (int r = 0; r < tile_lanes<T>; ++r) dp.at[j][r] = math::exp(p.at[j][r] - norm[r]) * (dp.at[j][r] - dot[r]);
      }
      tile_product<T>(count, dim, rows, {dp.at[0], 1, tile_lanes<T>}, k.row(row) + of_key, k.stride, sums.at, dim);
    });
    for (int r = 0; r < count; ++r) {
      T* to = dq.row(tile.row(a, r)) + tile.head(a, r) * a.query_head_stride;
      const T* from = sums.at + r * dim;
      write_row(to, dim, beta, [&](index_t c) { return T(a.scale) * from[c]; });
    }
  });
}

/// dk and dv of every tile of key rows.
template <class T>
void attention_key_gradient(cpu& device, const attention_shape& a, view<const T> q, view<const T> k, view<const T> v,
                            view<const std::int32_t> segments, view<const T> lse, view<const T> dout,
                            view<const T> delta, T beta, view<T> dk, view<T> dv) {
  const index_t tiles = (k.rows + tile_lanes<T> - 1) / tile_lanes<T>;
  parallel_tasks(device.threads(), tiles * a.kv_heads, [&](index_t task, int) {
    const int dim = a.head_dim, kv_head = int(task % a.kv_heads);
    const index_t begin = task / a.kv_heads * tile_lanes<T>, end = std::min(k.rows, begin + tile_lanes<T>);
    const index_t of_key = kv_head * a.key_head_stride;
    lane_vectors<T> keys, values;
    lane_sums<T> key_sums, value_sums;
    score_block<T> p, dp;
    std::fill_n(key_sums.at, (end - begin) * dim, T(0));
    std::fill_n(value_sums.at, (end - begin) * dim, T(0));
    each_key_piece(segments, begin, end, [&](const segment& s, key_piece piece) {
      keys.load(piece.count, dim, T(a.scale), [&](int r) { return k.row(piece.row + r) + of_key; });
      values.load(piece.count, dim, T(1), [&](int r) { return v.row(piece.row + r) + of_key; });
      lane_places<T> lanes;
      lanes.count = piece.count;
      for (int r = 0; r < piece.count; ++r) lanes.position[r] = std::int32_t(piece.position + r);
      const index_span queries = seeing_queries(a, s, piece.position, piece.position + piece.count - 1);
      const index_t to = (piece.row - begin) * dim;
      for (int h = kv_head * a.group(); h < (kv_head + 1) * a.group(); ++h) {
        std::fill_n(lanes.slope, piece.count, a.alibi ? T(alibi_slope(h, a.heads)) : T(0));
        lanes.fill_up();
        for (index_t i = queries.begin; i < queries.end; i += score_rows) {
          const index_t rows = std::min<index_t>(score_rows, queries.end - i), row = s.begin + i;
          const T *query = q.row(row) + h * a.query_head_stride, *g = dout.row(row) + h * dim;
          scores(rows, dim, query, q.stride, keys, p);
          lanes.mask(a, query_position(s, i), rows, -1, p);
          scores(rows, dim, g, dout.stride, values, dp);
          for (index_t j = 0; j < rows; ++j) {
            const T norm = lse(row + j, h), dot = delta(row + j, h);
#pragma omp simd
            for (int r = 0; r < tile_lanes<T>; ++r) {
              p.at[j][r] = math::exp(p.at[j][r] - norm);
              dp.at[j][r] = p.at[j][r] * (dp.at[j][r] - dot);
            }
          }
          tile_product<T>(piece.count, dim, rows, {p.at[0], 1, tile_lanes<T>}, g, dout.stride, value_sums.at + to, dim);
          tile_product<T>(piece.count, dim, rows, {dp.at[0], 1, tile_lanes<T>}, query, q.stride, key_sums.at + to, dim);
        }
      }
    });
    for (index_t row = begin; row < end; ++row) {
      const T *key = key_sums.at + (row - begin) * dim, *value = value_sums.at + (row - begin) * dim;
      write_row(dk.row(row) + of_key, dim, beta, [&](index_t c) { return T(a.scale) * key[c]; });
      write_row(dv.row(row) + of_key, dim, beta, [&](index_t c) { return value[c]; });
    }
  });
}

}  // namespace detail

/// p_j = exp(s_j - lse), delta = <dout, out>, ds_j = p_j (<dout, v_j> - delta):
/// dq = scale sum_j ds_j k_j + beta dq; dk_j = scale sum ds_j q + beta dk_j; dv_j = sum p_j dout + beta dv_j, the last
/// two over all queries that see key j. dq, dk, dv have the strides of q, k, v. delta [T, heads] is workspace.
template <class T>
void attention_backward(cpu& device, const attention_shape& a, view<const T> q, view<const T> k, view<const T> v,
                        view<const std::int32_t> segments, view<const T> out, view<const T> lse, view<const T> dout,
                        T beta, view<T> dq, view<T> dk, view<T> dv, view<T> delta) {
  check_segments(segments, q.rows, k.rows);
  detail::attention_query_gradient<T>(device, a, q, k, v, segments, out, lse, dout, beta, dq, delta);
  detail::attention_key_gradient<T>(device, a, q, k, v, segments, lse, dout, delta, beta, dk, dv);
}

/// Row begin + i of every segment, its key heads side by side, becomes row keys + i of a cache.
/// k [T, ...], segments [S, 5] -> cache [K, kv_heads head_dim]
template <class T>
void cache_keys(cpu&, const attention_shape& a, view<const T> k, view<const std::int32_t> segments, view<T> cache) {
  check_segments(segments, k.rows, cache.rows);
  for (index_t n = 0; n < segments.rows; ++n) {
    const segment s = segment_at(segments, n);
    for (index_t i = 0; i < query_count(s); ++i)
      for (int h = 0; h < a.kv_heads; ++h)
        std::copy_n(k.row(s.begin + i) + h * a.key_head_stride, a.head_dim, cache.row(s.keys + i) + h * a.head_dim);
  }
}

}  // namespace mor1e::backend
