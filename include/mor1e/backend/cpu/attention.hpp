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
#include <cstdlib>

#include "mor1e/backend/cpu/row_loops.hpp"
#include "mor1e/backend/cpu/tile_product.hpp"
#include "mor1e/core/attention_shape.hpp"
#include "mor1e/core/math.hpp"

namespace mor1e::backend {

namespace detail {

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
  span_of_keys seen(const attention_shape& a) const {
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
void each_key_block(const segment& s, span_of_keys seen, const F& f) {
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

/// Softmax over keys that come block by block: largest score and sum so far, by lane.
template <class T>
struct running_softmax {
  T largest[tile_lanes<T>], sum[tile_lanes<T>];

  running_softmax() {
    // Finite, so that the difference of two such is 0 and not NaN.
    std::fill(std::begin(largest), std::end(largest), T(-1e30));
    std::fill(std::begin(sum), std::end(sum), T(0));
  }

  /// s = exp(s - largest), and the sums so far are brought to the new largest. Returns by lane what the outputs so far are
  /// to be multiplied by, in `scale`; false if that is one for all.
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

}  // namespace detail

/// s_j = scale <q, k_j> over the keys that the query's segment shows it; lse = log sum_j exp s_j; out = sum_j exp(s_j - lse) v_j
/// q [T, ...], k, v [K, ...], segments [S, 5] -> out [T, heads head_dim], lse [T, heads] (not written if empty).
/// Rows in no segment: 0.
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
    queries.load(count, dim, T(a.scale), [&](int r) { return q.row(tile.row(a, r)) + tile.head(a, r) * a.query_head_stride; });
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
                              view<const std::int32_t> segments, view<const T> out, view<const T> lse, view<const T> dout, T beta,
                              view<T> dq, view<T> delta) {
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
    queries.load(count, dim, T(a.scale), [&](int r) { return q.row(tile.row(a, r)) + tile.head(a, r) * a.query_head_stride; });
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

/// The queries [begin, end) of a segment that see any of its keys at positions [first, last].
inline span_of_keys seeing_queries(const attention_shape& a, const segment& s, index_t first, index_t last) {
  const index_t before = prefix_length(s);
  const index_t begin = a.causal ? first : a.window > 0 ? first - a.window + 1 : 0;
  const index_t end = a.window > 0 ? last + a.window : key_count(s);
  return {std::max<index_t>(0, begin - before), std::min(query_count(s), end - before)};
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

/// dk and dv of every tile of key rows.
template <class T>
void attention_key_gradient(cpu& device, const attention_shape& a, view<const T> q, view<const T> k, view<const T> v,
                            view<const std::int32_t> segments, view<const T> lse, view<const T> dout, view<const T> delta, T beta,
                            view<T> dk, view<T> dv) {
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
      const span_of_keys queries = seeing_queries(a, s, piece.position, piece.position + piece.count - 1);
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
/// dq = scale sum_j ds_j k_j + beta dq; dk_j = scale sum ds_j q + beta dk_j; dv_j = sum p_j dout + beta dv_j, the last two over
/// all queries that see key j. dq, dk, dv have the strides of q, k, v. delta [T, heads] is workspace.
template <class T>
void attention_backward(cpu& device, const attention_shape& a, view<const T> q, view<const T> k, view<const T> v,
                        view<const std::int32_t> segments, view<const T> out, view<const T> lse, view<const T> dout, T beta, view<T> dq,
                        view<T> dk, view<T> dv, view<T> delta) {
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
