// Definitions of backend/cuda/dropout.hpp.
#pragma once

#include "mor1e/backend/cuda/dropout.hpp"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

template <class T>
struct dropout_body {
  dropout_shape s;
  std::uint32_t dropped;
  T factor;
  device_view<const T> x;
  device_view<const std::int32_t> examples, positions, draw;
  T beta;
  device_view<T> y;

  /// N divides 4, and so do the columns of a pack: one block of random words serves it.
  template <int N>
  __device__ void at(index_t i, index_t j) const {
    const philox_block bits = random_words(dropout_key(s, draw.address()), std::uint32_t(j / 4),
                                           std::uint32_t(*row(positions, i)), std::uint32_t(*row(examples, i)));
    // The first word by a choice among four: an array with an index would lie in memory.
    const int first = int(j % 4);
    pack<T, N> v = load<N>(x, i, j);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const int w = first + k;
      const std::uint32_t word = w == 0 ? bits.word[0] : w == 1 ? bits.word[1] : w == 2 ? bits.word[2] : bits.word[3];
      v.at[k] = word < dropped ? T(0) : v.at[k] * factor;
    }
    store(y, i, j, v, beta);
  }
};

template <class T>
void dropout(launch_target target, const dropout_shape& s, device_view<const T> x,
             device_view<const std::int32_t> examples, device_view<const std::int32_t> positions,
             device_view<const std::int32_t> draw, T beta, device_view<T> y) {
  each_element<pack_size<T>>(target, "dropout", y.rows, y.cols, aligned(x) && aligned(y),
                             dropout_body<T>{s, s.dropped(), T(s.factor()), x, examples, positions, draw, beta, y});
}

}  // namespace mor1e::backend::kernels
