// Tensors one after the other, to be compared at once.
#pragma once

#include <vector>

#include "mor1e/core/tensor.hpp"

namespace mor1e::testing {

template <class T, class U>
void append(std::vector<T>& out, const tensor<U>& values) {
  out.insert(out.end(), values.begin(), values.end());
}

}  // namespace mor1e::testing
