// What a device can do at most, measured: the rate of its products and of its memory.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

#include "mor1e/backend/array.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::bench {

struct device_bounds {
  double flops = 0;  ///< operations a second of a large product of a frozen weight
  double bytes = 0;  ///< bytes a second read and written by y = alpha x + y on arrays beyond the caches

  /// Seconds that work of so many operations and bytes takes at least, if one hides the other.
  double seconds(double operations, double moved) const { return std::max(operations / flops, moved / bytes); }
};

/// The shortest of `runs` calls of f, in seconds.
template <class B, class F>
double shortest(B& device, int runs, F f) {
  using clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int i = 0; i <= runs; ++i) {  // the first touches all memory
    const auto begin = clock::now();
    f();
    device.finish();
    if (i) best = std::min(best, std::chrono::duration<double>(clock::now() - begin).count());
  }
  return best;
}

/// x W^T with x [rows, width] and W [4 width, width]; a sweep over `megabytes` of each of two arrays.
template <class B>
device_bounds measure_bounds(B& device, index_t rows = 2048, index_t width = 1024, index_t megabytes = 256) {
  device_bounds out;
  {
    const typename B::template frozen<float> w(device, tensor<float>(shape{4 * width, width}, 0.01f));
    array<B, float> x(device, shape{rows, width}, 0.5f), y(device, shape{rows, 4 * width}, 0.f);
    constexpr int products = 4;  // a launch and a wait are small beside them
    const double seconds = shortest(device, 3, [&] {
      for (int i = 0; i < products; ++i)
        frozen_gemm(device, backend::transpose::yes, std::as_const(x).matrix(), w, 0.f, y.matrix());
    });
    out.flops = products * 2.0 * double(rows) * double(width) * double(4 * width) / seconds;
  }
  const index_t count = megabytes << 18;
  array<B, float> x(device, shape{1024, count / 1024}, 1.f), y(device, shape{1024, count / 1024}, 0.f);
  const double seconds = shortest(device, 5, [&] { axpby(device, 1.f, std::as_const(x).matrix(), 1.f, y.matrix()); });
  out.bytes = 3.0 * double(count) * sizeof(float) / seconds;
  return out;
}

}  // namespace mor1e::bench
