// Multiples of normal noise, by rows.
#pragma once

#include <cstdint>

#include "mor1e/backend/cpu/row_loops.hpp"
#include "mor1e/backend/noise.hpp"

namespace mor1e::backend {

/// y_ij = e_ij x_ij + beta y_ij, e standard normal; see noise_shape. The same for dy -> dx.
template <class T>
void multiply_noise(cpu& device, const noise_shape& s, view<const T> x, view<const std::int32_t> examples,
                    view<const std::int32_t> positions, view<const std::int32_t> draw, T beta, view<T> y) {
  const std::uint64_t key = noise_key(s, draw);
  each_row(device, x.rows, 60 * x.cols, [&](index_t i) {
    const T* values = x.row(i);
    write_row(y.row(i), x.cols, beta,
              [&](index_t j) { return values[j] * T(noise_at(key, j, positions[i], examples[i])); });
  });
}

}  // namespace mor1e::backend
