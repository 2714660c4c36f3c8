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
#include "mor1e/kernels/attention_backward.cuh"
#include "mor1e/kernels/attention_forward.cuh"
#include "mor1e/kernels/attention_mma_tile.cuh"
#include "mor1e/kernels/attention_plain_tile.cuh"

namespace mor1e::backend::kernels {

namespace detail {

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
