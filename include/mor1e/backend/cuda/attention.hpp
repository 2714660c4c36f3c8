// Scaled dot-product attention over packed sequences: what kernels/attention.cuh computes. With cuda_products::bf16 the
// operands of its products are rounded to bf16 and multiplied by tensor cores; softmax, sums and lse stay fp32.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/core/attention_shape.hpp"

namespace mor1e::backend::kernels {

/// With `parts` above 1, part z of the keys has its own rows [z T, (z + 1) T) of out and lse, for
/// `join_attention_parts`.
template <class T>
void attention_forward(launch_target target, const attention_shape& a, bool bf16, device_view<const T> q,
                       device_view<const T> k, device_view<const T> v, device_view<const std::int32_t> segments,
                       int parts, device_view<T> out, device_view<T> lse);
template <class T>
void join_attention_parts(launch_target target, const attention_shape& a, int parts, device_view<const T> part_out,
                          device_view<const T> part_lse, device_view<T> out, device_view<T> lse);
template <class T>
void attention_backward(launch_target target, const attention_shape& a, bool bf16, device_view<const T> q,
                        device_view<const T> k, device_view<const T> v, device_view<const std::int32_t> segments,
                        device_view<const T> out, device_view<const T> lse, device_view<const T> dout, T beta,
                        device_view<T> dq, device_view<T> dk, device_view<T> dv, device_view<T> delta);
template <class T>
void cache_keys(launch_target target, const attention_shape& a, device_view<const T> k,
                device_view<const std::int32_t> segments, device_view<T> cache);

}  // namespace mor1e::backend::kernels

namespace mor1e::backend {

namespace detail {

/// Into how many parts the keys are cut so that a few queries over a long cache occupy the device: by shapes alone, as
/// the lengths lie in its memory. A part has at least 128 keys; 256 blocks are two for each multiprocessor.
inline int attention_parts(const attention_shape& a, index_t queries, index_t keys, index_t segments) {
  const index_t tiles = (queries * a.group() + 15) / 16 + segments, blocks = tiles * a.kv_heads;
  const index_t wanted = queries * a.group() > 16 * segments ? 1 : 256 / std::max<index_t>(1, blocks);
  return int(std::clamp<index_t>(std::min(wanted, keys / 128), 1, 64));
}

}  // namespace detail

/// s_j = scale <q, k_j> over the keys that the query's segment shows it; lse = log sum_j exp s_j; out = sum_j exp(s_j -
/// lse) v_j q [T, ...], k, v [K, ...], segments [S, 5] -> out [T, heads head_dim], lse [T, heads] (not written if
/// empty). Rows in no segment: 0. Segments are as `check_segments` wants them, which is for who makes them to see to.
template <class T>
void attention_forward(cuda& device, const attention_shape& a, device_view<const T> q, device_view<const T> k,
                       device_view<const T> v, device_view<const std::int32_t> segments, device_view<T> out,
                       device_view<T> lse) {
  const bool bf16 = device.options().products == cuda_products::bf16;
  const int parts = detail::attention_parts(a, q.rows, k.rows, segments.rows);
  if (parts == 1) return kernels::attention_forward(device.target(), a, bf16, q, k, v, segments, 1, out, lse);
  const index_t width = index_t(a.heads) * a.head_dim;
  const cuda_scratch<T> part_out(device, parts * q.rows, width), part_lse(device, parts * q.rows, a.heads);
  kernels::attention_forward(device.target(), a, bf16, q, k, v, segments, parts, part_out.view(), part_lse.view());
  kernels::join_attention_parts<T>(device.target(), a, parts, part_out.view(), part_lse.view(), out, lse);
}

/// p_j = exp(s_j - lse), delta = <dout, out>, ds_j = p_j (<dout, v_j> - delta):
/// dq = scale sum_j ds_j k_j + beta dq; dk_j = scale sum ds_j q + beta dk_j; dv_j = sum p_j dout + beta dv_j, the last
/// two over all queries that see key j. dq, dk, dv have the strides of q, k, v. delta [T, heads] is workspace.
template <class T>
void attention_backward(cuda& device, const attention_shape& a, device_view<const T> q, device_view<const T> k,
                        device_view<const T> v, device_view<const std::int32_t> segments, device_view<const T> out,
                        device_view<const T> lse, device_view<const T> dout, std::type_identity_t<T> beta,
                        device_view<T> dq, device_view<T> dk, device_view<T> dv, device_view<T> delta) {
  const bool bf16 = device.options().products == cuda_products::bf16;
  kernels::attention_backward(device.target(), a, bf16, q, k, v, segments, out, lse, dout, beta, dq, dk, dv, delta);
}

/// Row begin + i of every segment, its key heads side by side, becomes row keys + i of a cache.
/// k [T, ...], segments [S, 5] -> cache [K, kv_heads head_dim]
template <class T>
void cache_keys(cuda& device, const attention_shape& a, device_view<const T> k,
                device_view<const std::int32_t> segments, device_view<T> cache) {
  kernels::cache_keys(device.target(), a, k, segments, cache);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/attention.cuh"
#endif
