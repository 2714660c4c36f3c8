// A line through points, by gradient descent: what needs no file, no text and no model.
#include <iostream>

#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/ops/all.hpp"

using namespace mor1e;

int main() {
  cpu device;
  const tensor<float> x{{0}, {1}, {2}, {3}}, y{{1}, {3}, {5}, {7}};
  param<cpu, float> slope(device, "slope", shape{1, 1}), offset(device, "offset", shape{1, 1});
  float loss = 0;
  for (int step = 0; step < 400; ++step) {
    tape t(device);
    const auto error = mean(square(matmul(input(t, x), use(t, slope)) + use(t, offset) - input(t, y)));
    backward(error);
    loss = error.read_scalar();
    for (auto* p : {&slope, &offset}) {
      tensor<float> value = p->read();
      value[0] -= 0.1f * p->read_gradient()[0];
      p->write(value);
      p->clear_gradient();
    }
  }
  std::cout << "y = " << slope.read()[0] << " x + " << offset.read()[0] << ", loss " << loss << '\n';
  return loss < 1e-6f ? 0 : 1;
}
