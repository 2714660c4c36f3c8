// Dropout whose mask is a function of what a row is, not of where it lies.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mor1e/backend/cpu/row_loops.hpp"
#include "mor1e/backend/dropout.hpp"

namespace mor1e::backend {

/// y_ij = keep_ij x_ij / (1 - rate) + beta y_ij; see dropout_shape. The same for dy -> dx.
template <class T>
void dropout(cpu& device, const dropout_shape& s, view<const T> x, view<const std::int32_t> examples,
             view<const std::int32_t> positions, view<const std::int32_t> draw, T beta, view<T> y) {
  const std::uint64_t key = dropout_key(s, draw);
  const std::uint32_t dropped = s.dropped();
  const T factor = T(s.factor());
  constexpr index_t blocks = 16, width = 4 * blocks;
  each_row(device, x.rows, 16 * x.cols, [&](index_t i) {
    const std::uint32_t position = std::uint32_t(positions[i]), example = std::uint32_t(examples[i]);
    for (index_t from = 0; from < x.cols; from += width) {
      std::uint32_t words[4][blocks];
      random_words(key, std::uint32_t(from / 4), position, example, words);
      T factors[width];
      const index_t count = std::min(width, x.cols - from);
#pragma omp simd
      for (index_t block = 0; block < blocks; ++block)
        for (int k = 0; k < 4; ++k) factors[4 * block + k] = words[k][block] < dropped ? T(0) : factor;
      const T *values = x.row(i) + from, *kept = factors;
      write_row(y.row(i) + from, count, beta, [=](index_t j) { return values[j] * kept[j]; });
    }
  });
}

}  // namespace mor1e::backend
