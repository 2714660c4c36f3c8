// A tensor is moved or cloned; a copy of its memory is never made by accident.
// error: deleted
#include <utility>

#include "mor1e/core/tensor.hpp"

int main() {
  mor1e::tensor<float> weights(mor1e::shape{2, 3});
#ifdef MOR1E_WRONG
  mor1e::tensor<float> other = weights;
#else
  mor1e::tensor<float> other = std::move(weights);
#endif
  return other.size() == 6 ? 0 : 1;
}
