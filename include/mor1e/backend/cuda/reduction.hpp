// How reductions are cut into parts: by the shape alone, so that no bit depends on the device.
#pragma once

#include <algorithm>

#include "mor1e/core/shape.hpp"

namespace mor1e::backend::kernels {

/// The most parts that a reduction of all elements has.
inline constexpr index_t most_parts = 1024;

/// The parts that the rows are cut into where each column is reduced: blocks of 128 columns, some 512 of them together.
inline int column_parts(index_t rows, index_t cols) {
  const index_t wide = std::max<index_t>(1, (cols + 127) / 128);
  return int(std::max<index_t>(1, std::min((rows + 31) / 32, 512 / wide)));
}

/// Rows of up to so many packs are a warp's, longer ones a block's.
inline constexpr index_t warp_units = 256;

}  // namespace mor1e::backend::kernels
