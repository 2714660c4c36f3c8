// Definitions of backend/cuda/dropout.hpp.
#pragma once

#include "mor1e/backend/cuda/dropout.hpp"
#include "mor1e/kernels/each_row.cuh"
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

  /// The words of a block are of four columns, so one block serves a pack: its size divides 4.
  template <int Warps, int N>
  __device__ void row(const row_threads<Warps, N>& threads, index_t i) const {
    const std::uint64_t key = dropout_key(s, draw.address());
    const std::uint32_t position = std::uint32_t(*kernels::row(positions, i)),
                        example = std::uint32_t(*kernels::row(examples, i));
    threads.each([&](auto width, int, index_t j) {
      const philox_block bits = random_words(key, std::uint32_t(j / 4), position, example);
      auto v = load<width>(x, i, j);
#pragma unroll
      for (int k = 0; k < width; ++k) {
        // A choice among four: an array with an index would lie in memory.
        const int w = int(j % 4) + k;
        const std::uint32_t word = w == 0 ? bits.word[0] : w == 1 ? bits.word[1] : w == 2 ? bits.word[2] : bits.word[3];
        v.at[k] = word < dropped ? T(0) : v.at[k] * factor;
      }
      store(y, i, j, v, beta);
    });
  }
};

template <class T>
void dropout(launch_target target, const dropout_shape& s, device_view<const T> x,
             device_view<const std::int32_t> examples, device_view<const std::int32_t> positions,
             device_view<const std::int32_t> draw, T beta, device_view<T> y) {
  each_row<pack_size<T>>(target, "dropout", y.rows, y.cols, aligned(x) && aligned(y),
                         dropout_body<T>{s, s.dropped(), T(s.factor()), x, examples, positions, draw, beta, y});
}

}  // namespace mor1e::backend::kernels
