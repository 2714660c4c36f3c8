// Rotary position embedding.
#pragma once

#include <cmath>
#include <cstdint>

#include "mor1e/backend/reference/device.hpp"
#include "mor1e/core/rotary_frequencies.hpp"

namespace mor1e::backend {

/// table_t = [scaling cos angle_0 ... | scaling sin angle_0 ...], angle_i = position_t frequencies.at(i), in double.
/// positions [T, 1] -> table [T, frequencies.dim]
template <class T>
void rotary_angles(reference&, view<const std::int32_t> positions, const rotary_frequencies& frequencies,
                   double scaling, view<T> table) {
  const index_t half = table.cols / 2;
  for (index_t t = 0; t < table.rows; ++t)
    for (index_t i = 0; i < half; ++i) {
      const double angle = positions[t] * frequencies.at(int(i));
      table(t, i) = T(scaling * std::cos(angle));
      table(t, half + i) = T(scaling * std::sin(angle));
    }
}

/// y = turn(x) + beta y: columns i and i + rotary_dim / 2 of each of the first `heads` blocks of `head_dim` columns are
/// turned by direction * angle_i (direction 1 or -1), for i < rotary_dim / 2; the other columns stay. y may be x. x [T,
/// W], table [T, rotary_dim] -> y [T, W]
template <class T>
void rotary_turn(reference&, int heads, int head_dim, T direction, view<const T> x, view<const T> table, T beta,
                 view<T> y) {
  const index_t half = table.cols / 2;
  for (index_t t = 0; t < x.rows; ++t)
    for (index_t j = 0; j < x.cols; ++j) {
      const index_t i = j % head_dim;
      if (j >= heads * head_dim || i >= 2 * half) {
        y(t, j) = blend(x(t, j), beta, y(t, j));
      } else if (i < half) {
        const T a = x(t, j), b = x(t, j + half), cos = table(t, i), sin = direction * table(t, half + i);
        y(t, j) = blend(a * cos - b * sin, beta, y(t, j));
        y(t, j + half) = blend(b * cos + a * sin, beta, y(t, j + half));
      }
    }
}

}  // namespace mor1e::backend
