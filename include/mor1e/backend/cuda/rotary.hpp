// Rotary position embedding.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mor1e/backend/cuda/device.hpp"
#include "mor1e/core/rotary_frequencies.hpp"

namespace mor1e::backend {

// Defined in kernels/rotary.cuh.
namespace kernels {

/// Frequencies of pairs [first, first + count) of a row, as an argument of a kernel.
struct rotary_pairs {
  static constexpr int most = 128;
  double frequency[most];
  int first = 0, count = 0;
};

template <class T>
void rotary_angles(launch_target, device_view<const std::int32_t> positions, const rotary_pairs& pairs, double scaling,
                   device_view<T> table);
template <class T>
void rotary_turn(launch_target, int heads, int head_dim, T direction, device_view<const T> x,
                 device_view<const T> table, T beta, device_view<T> y);

}  // namespace kernels

/// table_t = [scaling cos angle_0 ... | scaling sin angle_0 ...], angle_i = position_t frequencies.at(i), in double.
/// positions [T, 1] -> table [T, frequencies.dim]
template <class T>
void rotary_angles(cuda& device, device_view<const std::int32_t> positions, const rotary_frequencies& frequencies,
                   double scaling, device_view<T> table) {
  // The frequencies are the host's, so that a power is taken once a pair and not once a row.
  const int half = int(table.cols / 2);
  for (int first = 0; first < half; first += kernels::rotary_pairs::most) {
    kernels::rotary_pairs pairs{.frequency = {}, .first = first, .count = std::min(half - first, pairs.most)};
    for (int i = 0; i < pairs.count; ++i) pairs.frequency[i] = frequencies.at(first + i);
    kernels::rotary_angles<T>(device.target(), positions, pairs, scaling, table);
  }
}

/// y = turn(x) + beta y: columns i and i + rotary_dim / 2 of each of the first `heads` blocks of `head_dim` columns are
/// turned by direction * angle_i (direction 1 or -1), for i < rotary_dim / 2; the other columns stay. y may be x. x [T,
/// W], table [T, rotary_dim] -> y [T, W]
template <class T>
void rotary_turn(cuda& device, int heads, int head_dim, T direction, device_view<const T> x, device_view<const T> table,
                 T beta, device_view<T> y) {
  kernels::rotary_turn<T>(device.target(), heads, head_dim, direction, x, table, beta, y);
}

}  // namespace mor1e::backend

#ifdef __CUDACC__
#include "mor1e/kernels/rotary.cuh"
#endif
