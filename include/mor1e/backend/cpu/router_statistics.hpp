// What the weights of experts say, on average.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "mor1e/backend/cpu/device.hpp"
#include "mor1e/core/math.hpp"

namespace mor1e::backend {

/// The share of expert j in a token's weights is |w_j| / sum |w|. Over the rows of an instance whose weights are not
/// all 0: out = [mean entropy of the shares in nats, mean share of each expert]; zeros without such a row.
/// One thread: a row is a few dozen numbers, and the sum over rows has the same bits for any number of threads.
template <class T>
void router_statistics(cpu&, view<const T> w, view<const std::int32_t> instances, view<T> out) {
  T* shares = out.data + 1;
  for (index_t j = 0; j < w.cols; ++j) shares[j] = 0;
  double entropy = 0;
  index_t rows = 0;
  for (index_t i = 0; i < w.rows; ++i) {
    if (instances[i] < 0) continue;
    const T* row = w.row(i);
    T sum = 0, weighted = 0;
#pragma omp simd reduction(+ : sum, weighted)
    for (index_t j = 0; j < w.cols; ++j) {
      const T size = std::abs(row[j]);
      sum += size;
      weighted += size * math::log(size + T(1e-30));  // 0 log 0 = 0; beside more it vanishes
    }
    if (!(sum > 0)) continue;
    ++rows;
    const T inverse = 1 / sum;
    entropy += std::max(0.0, std::log(double(sum)) - double(weighted * inverse));  // of one expert, rounding
#pragma omp simd
    for (index_t j = 0; j < w.cols; ++j) shares[j] += std::abs(row[j]) * inverse;
  }
  const T mean = rows ? T(1) / T(rows) : T(0);
  out[0] = T(entropy) * mean;
  for (index_t j = 0; j < w.cols; ++j) shares[j] *= mean;
}

}  // namespace mor1e::backend
