// Random tensors for tests.
#pragma once

#include "mor1e/core/rng.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e::testing {

/// Independent uniform numbers from [low, high); the same for the same key.
template <class T = double>
tensor<T> random(shape extents, std::uint64_t key, double low = -1, double high = 1) {
  tensor<T> out(extents);
  for (index_t i = 0; i < out.size(); ++i) out[i] = T(low + (high - low) * uniform<double>(key, i));
  return out;
}

}  // namespace mor1e::testing
