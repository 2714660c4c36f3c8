// Multiples of normal noise.
#pragma once

#include <cstdint>

#include "mor1e/backend/noise.hpp"
#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// y_ij = e_ij x_ij + beta y_ij, e standard normal; see noise_shape. The same for dy -> dx.
template <class T>
void multiply_noise(reference&, const noise_shape& s, view<const T> x, view<const std::int32_t> examples,
                    view<const std::int32_t> positions, view<const std::int32_t> draw, T beta, view<T> y) {
  const std::uint64_t key = noise_key(s, draw);
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j)
      y(i, j) = blend(x(i, j) * T(noise_at(key, j, positions[i], examples[i])), beta, y(i, j));
}

}  // namespace mor1e::backend
