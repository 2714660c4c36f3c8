// Rotary position embedding.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "mor1e/backend/cpu/row_loops.hpp"
#include "mor1e/core/rotary_frequencies.hpp"

namespace mor1e::backend {

/// table_t = [scaling cos angle_0 ... | scaling sin angle_0 ...], angle_i = position_t frequencies.at(i), in double.
/// positions [T, 1] -> table [T, frequencies.dim]
template <class T>
void rotary_angles(cpu& device, view<const std::int32_t> positions, const rotary_frequencies& frequencies,
                   double scaling, view<T> table) {
  const index_t half = table.cols / 2;
  parallel_rows(device, table.rows, 16 * table.cols, [&](index_t begin, index_t end) {
    for (index_t i = 0; i < half; ++i) {
      const double frequency = frequencies.at(int(i));
      for (index_t t = begin; t < end; ++t) {
        const double angle = positions[t] * frequency;
        table(t, i) = T(scaling * std::cos(angle));
        table(t, half + i) = T(scaling * std::sin(angle));
      }
    }
  });
}

/// y = turn(x) + beta y: columns i and i + rotary_dim / 2 of each of the first `heads` blocks of `head_dim` columns are
/// turned by direction * angle_i (direction 1 or -1), for i < rotary_dim / 2; the other columns stay. y may be x. x [T,
/// W], table [T, rotary_dim] -> y [T, W]
template <class T>
void rotary_turn(cpu& device, int heads, int head_dim, T direction, view<const T> x, view<const T> table, T beta,
                 view<T> y) {
  const index_t half = table.cols / 2;
  each_row(device, x.rows, 2 * x.cols, [&](index_t t) {
    const T *cos = table.row(t), *sin = cos + half;
    const auto copy = [&](const T* from, T* to, index_t n) {
      if (from != to || beta != T(0)) write_row(to, n, beta, [=](index_t j) { return from[j]; });
    };
    const auto turn = [=]<bool Keep>(std::bool_constant<Keep>, const T* from, T* to) {
#pragma omp simd
      for (index_t i = 0; i < half; ++i) {
        const T a = from[i], b = from[half + i], s = direction * sin[i];
        const T low = a * cos[i] - b * s, high = b * cos[i] + a * s;
        to[i] = Keep ? low + beta * to[i] : low;
        to[half + i] = Keep ? high + beta * to[half + i] : high;
      }
    };
    for (int h = 0; h < heads; ++h) {
      const T* from = x.row(t) + h * head_dim;
      T* to = y.row(t) + h * head_dim;
      beta == T(0) ? turn(std::false_type{}, from, to) : turn(std::true_type{}, from, to);
      copy(from + 2 * half, to + 2 * half, head_dim - 2 * half);
    }
    const index_t turned = index_t(heads) * head_dim;
    copy(x.row(t) + turned, y.row(t) + turned, x.cols - turned);
  });
}

}  // namespace mor1e::backend
