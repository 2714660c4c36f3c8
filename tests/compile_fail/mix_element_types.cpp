// A formula of a float and a double value says so in one line.
// error: values of a formula must be of one element type
#include "mor1e/backend/cpu.hpp"
#include "mor1e/ops/add.hpp"

int main() {
  mor1e::cpu device(1);
  mor1e::tape t(device);
  const auto a = input(t, mor1e::tensor<float>(mor1e::shape{2, 3}));
#ifdef MOR1E_WRONG
  const auto b = input(t, mor1e::tensor<double>(mor1e::shape{2, 3}));
#else
  const auto b = input(t, mor1e::tensor<float>(mor1e::shape{2, 3}));
#endif
  return int((a + b).rows()) - 2;
}
