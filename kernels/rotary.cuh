// Definitions of backend/cuda/rotary.hpp.
#pragma once

#include "mor1e/backend/cuda/rotary.hpp"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

template <class T>
struct rotary_angles_body {
  const std::int32_t* positions;
  index_t position_step;
  rotary_pairs pairs;
  double scaling;
  device_view<T> table;

  template <int N>
  __device__ void at(index_t t, index_t i) const {
    const double angle = positions[t * position_step] * pairs.frequency[i];
    T* to = row(table, t) + pairs.first + i;
    to[0] = T(scaling * cos(angle));
    to[table.cols / 2] = T(scaling * sin(angle));
  }
};

template <class T>
void rotary_angles(launch_target target, device_view<const std::int32_t> positions, const rotary_pairs& pairs,
                   double scaling, device_view<T> table) {
  each_element<1>(
      target, "rotary_angles", table.rows, pairs.count, false,
      rotary_angles_body<T>{positions.address(), positions.rows > 1 ? positions.stride : 1, pairs, scaling, table});
}

/// Unit u of a row is pair u % half of head u / half; behind all pairs come the columns that are not turned: what each
/// head has behind its pairs, then what lies behind the heads.
template <class T>
struct rotary_turn_body {
  int heads, head_dim;
  T direction;
  device_view<const T> x, table;
  T beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t t, index_t u) const {
    const int half = int(table.cols) / 2, pairs = heads * half;
    if (u >= pairs) return copy<N>(t, int(u) - pairs, head_dim - 2 * half);
    const int i = int(u) % half, j = int(u) / half * head_dim + i;
    const pack<T, N> a = load<N>(x, t, j), b = load<N>(x, t, j + half), cosine = load<N>(table, t, i),
                     sine = load<N>(table, t, half + i);
    pack<T, N> low, high;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const T s = direction * sine.at[k];
      low.at[k] = a.at[k] * cosine.at[k] - b.at[k] * s;
      high.at[k] = b.at[k] * cosine.at[k] + a.at[k] * s;
    }
    store(y, t, j, low, beta);
    store(y, t, j + half, high, beta);
  }
  template <int N>
  __device__ void copy(index_t t, int u, int of_head) const {
    const int in_heads = heads * of_head;
    const int j = u < in_heads ? (u / of_head + 1) * head_dim - of_head + u % of_head : u - in_heads + heads * head_dim;
    store(y, t, j, load<N>(x, t, j), beta);
  }
};

template <class T>
void rotary_turn(launch_target target, int heads, int head_dim, T direction, device_view<const T> x,
                 device_view<const T> table, T beta, device_view<T> y) {
  constexpr int N = pack_size<T>;
  const int half = int(table.cols / 2);
  const bool packs = half % N == 0 && head_dim % N == 0 && aligned(x) && aligned(table) && aligned(y);
  const index_t pairs = index_t(heads) * half;
  const index_t rest = x.address() == y.address() && beta == T(0) ? 0 : x.cols - 2 * pairs;
  each_element<N>(target, "rotary_turn", x.rows, pairs + rest, packs,
                  rotary_turn_body<T>{heads, head_dim, direction, x, table, beta, y});
}

}  // namespace mor1e::backend::kernels
