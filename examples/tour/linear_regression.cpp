// A line through noisy points: step by step on a tape, then the same as a plan that is recorded once.
#include <cstdio>

#include "mor1e/autodiff/plan.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/nn/linear.hpp"
#include "mor1e/ops/all.hpp"
#include "mor1e/optim/sgd.hpp"

using namespace mor1e;

int main() {
  cpu device;
  const tensor<float> x = nn::init::normal({64, 2}, 1, 1);
  tensor<float> y = nn::init::normal({64, 1}, 0.1, 2);  // noise
  for (index_t i = 0; i < 64; ++i) y[i] += 2 * x(i, 0) - 3 * x(i, 1) + 0.5f;

  nn::linear model(device, "model", 2, 1, 3);
  optim::sgd optimizer(model, {.learning_rate = 0.1});
  float loss = 0;
  for (int step = 0; step < 100; ++step) {
    tape t(device);
    const auto error = mean(square(model(input(t, x)) - input(t, y)));
    clear_gradients(model);
    backward(error);
    optimizer.step();
    loss = error.read_scalar();
  }
  const tensor<float> w = model.w.parameter()->read(), b = model.b.parameter()->read();
  std::printf("y = %.2f a + %.2f b + %.2f, mean squared error %.4f\n", w[0], w[1], b[0], loss);

  // Recorded once, run for each step: same numbers, no allocation.
  nn::linear again(device, "again", 2, 1, 3);
  optim::sgd other(again, {.learning_rate = 0.1});
  tape recorded(device, recording::plan);
  const auto in = input<float>(recorded, 64, 2), wanted = input<float>(recorded, 64, 1);
  const auto error = mean(square(again(in) - wanted));
  plan program(std::move(recorded), error, true);
  program.fill(in, x);
  program.fill(wanted, y);
  for (int step = 0; step < 100; ++step) {
    clear_gradients(again);
    program.run();
    other.step();
  }
  std::printf("as a plan of %zu bytes: %.4f\n", program.bytes(), program.read_scalar(error));
  return program.read_scalar(error) == loss && loss < 0.02f ? 0 : 1;
}
