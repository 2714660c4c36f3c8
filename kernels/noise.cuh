// Definitions of backend/cuda/noise.hpp.
#pragma once

#include "mor1e/backend/cuda/noise.hpp"
#include "mor1e/kernels/warp.cuh"

namespace mor1e::backend::kernels {

template <class T>
struct multiply_noise_body {
  noise_shape s;
  device_view<const T> x;
  device_view<const std::int32_t> examples, positions, draw;
  T beta;
  device_view<T> y;

  template <int N>
  __device__ void at(index_t i, index_t j) const {
    static_assert(N == 1, "a number is long to make: one a thread");
    const std::uint64_t key = noise_key(s, draw.address());
    pack<T, N> v = load<N>(x, i, j);
    v.at[0] *= T(noise_at(key, j, *row(positions, i), *row(examples, i)));
    store(y, i, j, v, beta);
  }
};

template <class T>
void multiply_noise(launch_target target, const noise_shape& s, device_view<const T> x,
                    device_view<const std::int32_t> examples, device_view<const std::int32_t> positions,
                    device_view<const std::int32_t> draw, T beta, device_view<T> y) {
  each_element<1>(target, "multiply_noise", y.rows, y.cols, true,
                  multiply_noise_body<T>{s, x, examples, positions, draw, beta, y});
}

}  // namespace mor1e::backend::kernels
