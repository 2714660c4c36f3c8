// What the weights of experts say, on average.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "mor1e/backend/reference/device.hpp"

namespace mor1e::backend {

/// The share of expert j in a token's weights is |w_j| / sum |w|. Over the rows of an instance whose weights are not
/// all 0: out = [mean entropy of the shares in nats, mean share of each expert]; zeros without such a row.
template <class T>
void router_statistics(reference&, view<const T> w, view<const std::int32_t> instances, view<T> out) {
  std::vector<double> sums(std::size_t(out.cols), 0.0);
  index_t rows = 0;
  for (index_t i = 0; i < w.rows; ++i) {
    double sum = 0;
    for (index_t j = 0; j < w.cols; ++j) sum += std::abs(double(w(i, j)));
    if (instances[i] < 0 || !(sum > 0)) continue;
    ++rows;
    for (index_t j = 0; j < w.cols; ++j) {
      const double share = std::abs(double(w(i, j))) / sum;
      sums[std::size_t(1 + j)] += share;
      if (share > 0) sums[0] -= share * std::log(share);
    }
  }
  for (index_t j = 0; j < out.cols; ++j) out[j] = T(rows ? sums[std::size_t(j)] / double(rows) : 0);
}

}  // namespace mor1e::backend
