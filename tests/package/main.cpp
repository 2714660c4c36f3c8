// What a user's first program does; built against an installed mor1e and inside a user's own project.
#include <iostream>

#include "mor1e/core/shape.hpp"
#include "mor1e/core/tensor.hpp"

int main() {
  mor1e::tensor<float> activations(mor1e::shape{4, 8}, 0.5f);
  float sum = 0;
  for (float value : activations) sum += value;
  std::cout << activations.extents() << " sums to " << sum << '\n';
  return sum == 16 ? 0 : 1;
}
