// The view of a constant tensor is read-only.
// error: discards qualifiers|no viable conversion
#include "mor1e/core/tensor.hpp"

int main() {
  const mor1e::tensor<float> weights(mor1e::shape{2, 3}, 1.0f);
#ifdef MOR1E_WRONG
  mor1e::view<float> rows = weights;
#else
  mor1e::view<const float> rows = weights;
#endif
  return rows.data == nullptr;
}
