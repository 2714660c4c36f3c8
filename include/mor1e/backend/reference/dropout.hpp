// Dropout whose mask is a function of what a row is, not of where it lies.
#pragma once

#include <cstdint>

#include "mor1e/backend/dropout.hpp"
#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// y_ij = keep_ij x_ij / (1 - rate) + beta y_ij; see dropout_shape. The same for dy -> dx.
template <class T>
void dropout(reference&, const dropout_shape& s, view<const T> x, view<const std::int32_t> examples,
             view<const std::int32_t> positions, view<const std::int32_t> draw, T beta, view<T> y) {
  const std::uint64_t key = dropout_key(s, draw);
  const std::uint32_t dropped = s.dropped();
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) {
      const philox_block bits =
          random_words(key, std::uint32_t(j / 4), std::uint32_t(positions[i]), std::uint32_t(examples[i]));
      y(i, j) = blend(bits.word[j % 4] < dropped ? T(0) : x(i, j) * T(s.factor()), beta, y(i, j));
    }
}

}  // namespace mor1e::backend
