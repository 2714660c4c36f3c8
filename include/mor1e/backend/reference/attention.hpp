// Scaled dot-product attention over packed sequences.
#pragma once

#include <algorithm>
#include <cmath>

#include "mor1e/backend/reference/device.hpp"
#include "mor1e/core/attention_shape.hpp"

namespace mor1e::backend {

namespace detail {

/// f(row of the key, score) for every key that query i of a segment sees with head h.
template <class T, class F>
void each_score(const attention_shape& a, const segment& s, index_t i, int h, view<const T> q, view<const T> k,
                const F& f) {
  const index_t at = query_position(s, i);
  const index_span seen = seen_keys(a, s, at);
  const T* query = q.row(s.begin + i) + h * a.query_head_stride;
  for (index_t j = seen.begin; j < seen.end; ++j) {
    const T* key = k.row(key_row(s, j)) + h / a.group() * a.key_head_stride;
    T dot = 0;
    for (int c = 0; c < a.head_dim; ++c) dot += query[c] * key[c];
    f(key_row(s, j), T(a.scale) * dot - (a.alibi ? T(alibi_slope(h, a.heads)) * T(std::abs(at - j)) : T(0)));
  }
}

/// f(segment, query of it, head) for every query and head.
template <class F>
void each_query(const attention_shape& a, view<const std::int32_t> segments, const F& f) {
  for (index_t n = 0; n < segments.rows; ++n) {
    const segment s = segment_at(segments, n);
    for (index_t i = 0; i < query_count(s); ++i)
      for (int h = 0; h < a.heads; ++h) f(s, i, h);
  }
}

/// The columns of heads: to = beta to.
template <class T>
void scale_heads(int heads, int head_dim, index_t stride, T beta, view<T> to) {
  for (index_t i = 0; i < to.rows; ++i)
    for (int h = 0; h < heads; ++h)
      for (int c = 0; c < head_dim; ++c) to(i, h * stride + c) = blend(T(0), beta, to(i, h * stride + c));
}

}  // namespace detail

/// s_j = scale <q, k_j> over the keys that the query's segment shows it; lse = log sum_j exp s_j; out = sum_j exp(s_j -
/// lse) v_j q [T, ...], k, v [K, ...], segments [S, 5] -> out [T, heads head_dim], lse [T, heads] (not written if
/// empty). Rows in no segment: 0.
template <class T>
void attention_forward(reference&, const attention_shape& a, view<const T> q, view<const T> k, view<const T> v,
                       view<const std::int32_t> segments, view<T> out, view<T> lse) {
  check_segments(segments, q.rows, k.rows);
  detail::scale_heads(a.heads, a.head_dim, a.head_dim, T(0), out);
  if (lse.data) detail::scale_heads(a.heads, 1, 1, T(0), lse);
  detail::each_query(a, segments, [&](const segment& s, index_t i, int h) {
    T largest = -INFINITY, sum = 0;
    detail::each_score(a, s, i, h, q, k, [&](index_t, T score) { largest = std::max(largest, score); });
    T* to = out.row(s.begin + i) + h * a.head_dim;
    detail::each_score(a, s, i, h, q, k, [&](index_t row, T score) {
      const T p = std::exp(score - largest);
      sum += p;
      for (int c = 0; c < a.head_dim; ++c) to[c] += p * v(row, h / a.group() * a.key_head_stride + c);
    });
    for (int c = 0; c < a.head_dim; ++c) to[c] /= sum;
    if (lse.data) lse(s.begin + i, h) = largest + std::log(sum);
  });
}

/// p_j = exp(s_j - lse), delta = <dout, out>, ds_j = p_j (<dout, v_j> - delta):
/// dq = scale sum_j ds_j k_j + beta dq; dk_j = scale sum ds_j q + beta dk_j; dv_j = sum p_j dout + beta dv_j, the last
/// two over all queries that see key j. dq, dk, dv have the strides of q, k, v. delta [T, heads] is workspace.
template <class T>
void attention_backward(reference&, const attention_shape& a, view<const T> q, view<const T> k, view<const T> v,
                        view<const std::int32_t> segments, view<const T> out, view<const T> lse, view<const T> dout,
                        T beta, view<T> dq, view<T> dk, view<T> dv, view<T> delta) {
  check_segments(segments, q.rows, k.rows);
  detail::scale_heads(a.heads, a.head_dim, a.query_head_stride, beta, dq);
  detail::scale_heads(a.kv_heads, a.head_dim, a.key_head_stride, beta, dk);
  detail::scale_heads(a.kv_heads, a.head_dim, a.key_head_stride, beta, dv);
  detail::each_query(a, segments, [&](const segment& s, index_t i, int h) {
    const index_t t = s.begin + i, of_out = h * a.head_dim, of_query = h * a.query_head_stride,
                  of_key = h / a.group() * a.key_head_stride;
    delta(t, h) = 0;
    for (int c = 0; c < a.head_dim; ++c) delta(t, h) += dout(t, of_out + c) * out(t, of_out + c);
    detail::each_score(a, s, i, h, q, k, [&](index_t row, T score) {
      const T p = std::exp(score - lse(t, h));
      T dp = 0;
      for (int c = 0; c < a.head_dim; ++c) dp += dout(t, of_out + c) * v(row, of_key + c);
      const T ds = T(a.scale) * p * (dp - delta(t, h));
      for (int c = 0; c < a.head_dim; ++c) {
        dq(t, of_query + c) += ds * k(row, of_key + c);
        dk(row, of_key + c) += ds * q(t, of_query + c);
        dv(row, of_key + c) += p * dout(t, of_out + c);
      }
    });
  });
}

/// Row begin + i of every segment, its key heads side by side, becomes row keys + i of a cache.
/// k [T, ...], segments [S, 5] -> cache [K, kv_heads head_dim]
template <class T>
void cache_keys(reference&, const attention_shape& a, view<const T> k, view<const std::int32_t> segments,
                view<T> cache) {
  check_segments(segments, k.rows, cache.rows);
  for (index_t n = 0; n < segments.rows; ++n) {
    const segment s = segment_at(segments, n);
    for (index_t i = 0; i < query_count(s); ++i)
      for (int h = 0; h < a.kv_heads; ++h)
        std::copy_n(k.row(s.begin + i) + h * a.key_head_stride, a.head_dim, cache.row(s.keys + i) + h * a.head_dim);
  }
}

}  // namespace mor1e::backend
