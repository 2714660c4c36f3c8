// Weights of rank-1 experts, applied to their products.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/backend/rank1_gates.hpp"

namespace mor1e::backend {

// Defined in kernels/rank1_gates.cuh.
namespace kernels {

/// How many warps share the rows of a part in the backward, by the shape alone; a multiple of 8, two rows each or more.
inline int rank1_gates_warps(const rank1_gates_shape& s, index_t rows) {
  const index_t wanted = std::min<index_t>((rows + 15) / 16 * 8, std::max(8, 8192 / s.parts / 8 * 8));
  return int(std::max<index_t>(8, wanted));
}

template <class T>
void rank1_gates_forward(launch_target, const rank1_gates_shape& s, int only, device_view<const T> x,
                         device_view<const T> intuition, device_view<const std::int32_t> instances,
                         device_view<const T> a, device_view<const T> b, device_view<T> g);
template <class T>
void rank1_gates_backward(launch_target, const rank1_gates_shape& s, device_view<const T> x,
                          device_view<const T> intuition, device_view<const std::int32_t> instances,
                          device_view<const T> a, device_view<const T> b, device_view<const T> dg, T beta,
                          device_view<T> dx, device_view<T> dintuition, device_view<T> da, device_view<T> db, T* sums);
}  // namespace kernels

/// g_pj = o_p w_pj x_pj, x = [products of all parts | logits of all parts]; see rank1_gates_shape.
template <class T>
void rank1_gates_forward(cuda& device, const rank1_gates_shape& s, device_view<const T> x,
                         device_view<const T> intuition, device_view<const std::int32_t> instances,
                         device_view<const T> a, device_view<const T> b, device_view<T> g) {
  kernels::rank1_gates_forward<T>(device.target(), s, -1, x, intuition, instances, a, b, g);
}

/// w_j = o_p w_pj of one part p: what `rank1_gates_forward` multiplies the products with.
template <class T>
void rank1_weights(cuda& device, const rank1_gates_shape& s, int part, device_view<const T> x,
                   device_view<const T> intuition, device_view<const std::int32_t> instances, device_view<const T> a,
                   device_view<const T> b, device_view<T> w) {
  kernels::rank1_gates_forward<T>(device.target(), s, part, x, intuition, instances, a, b, w);
}

/// Gradients of x, and of intuition, a and b where their views are not empty (added to what is there).
template <class T>
void rank1_gates_backward(cuda& device, const rank1_gates_shape& s, device_view<const T> x,
                          device_view<const T> intuition, device_view<const std::int32_t> instances,
                          device_view<const T> a, device_view<const T> b, device_view<const T> dg, T beta,
                          device_view<T> dx, device_view<T> dintuition, device_view<T> da, device_view<T> db) {
  const cuda_scratch<T> sums(device, s.parts, s.learned_gates ? 2 * kernels::rank1_gates_warps(s, x.rows) : 0);
  kernels::rank1_gates_backward<T>(device.target(), s, x, intuition, instances, a, b, dg, beta, dx, dintuition, da, db,
                                   sums.view().address());
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/rank1_gates.cuh"
#endif
