// As traffic.cpp, for the kernels of mixtures, losses and the optimiser.
#include <cstdlib>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cuda.hpp"

using namespace mor1e;

TEST_CASE("cuda: traffic of methods") {
  if (!std::getenv("CUDASIM_STATS")) return;
  constexpr index_t rows = 256, cols = 1024;
  cuda device({.host_threads = 1});
  const auto plane = [&](float value) { return array<cuda, float>(device, shape{rows, cols}, value); };
  const array<cuda, float> a = plane(0.5f), b = plane(0.25f), row(device, shape{1, cols}, 1.0f),
                           column(device, shape{rows, 1}, 7.0f), one(device, shape{1, 1}, 1.0f);
  array<cuda, float> y = plane(0), first = plane(0), second = plane(1), gradient = plane(1),
                     loss(device, shape{rows, 1}, 0.0f), row_y(device, shape{1, cols}, 0.0f);
  const array<cuda, std::int32_t> ids(device, tensor<std::int32_t>(shape{rows, 1}, 1)),
      draw(device, tensor<std::int32_t>(shape{1, 2}, 1));

  cross_entropy_forward(device, a.matrix(), ids.matrix(), loss.matrix(), loss.matrix());
  cross_entropy_backward(device, a.matrix(), ids.matrix(), column.matrix(), one.matrix(), 0.0f, y.matrix());
  cross_entropy_in_place(device, ids.matrix(), y.matrix(), loss.matrix());
  dropout(device, {.rate = 0.5}, a.matrix(), ids.matrix(), ids.matrix(), draw.matrix(), 0.0f, y.matrix());
  // A table as wide as two heads.
  rotary_turn(device, 2, int(cols) / 2, 1.0f, a.matrix(), b.matrix().col_range(0, cols / 2), 0.0f, y.matrix());
  scale_columns_gradient(device, row.matrix(), a.matrix(), b.matrix(), 0.0f, row_y.matrix());
  fold_columns(device, 4, cols / 8, a.matrix(), 0.0f, y.matrix().col_range(0, cols / 4));
  const backend::adam_tensor<device_view<float>> tensors[] = {
      {y.matrix(), gradient.matrix(), first.matrix(), second.matrix()}};
  array<cuda, std::int32_t> finite(device, shape{1, 1});
  array<cuda, double> squares(device, shape{1, 1});
  adam_update(device, std::span<const backend::adam_tensor<device_view<float>>>(tensors), {.learning_rate = 0.1},
              device_view<const double>(), finite.matrix());
  const device_view<float> gradients[] = {y.matrix()};
  square_sums(device, std::span<const device_view<float>>(gradients), squares.matrix());
  const array<cuda, double> large(device, shape{1, 1}, 4.0);
  array<cuda, double> norm(device, shape{1, 1});
  clip_tensors(device, 1, large.matrix(), std::span<const device_view<float>>(gradients), norm.matrix());
  clear_tensors(device, std::span<const device_view<float>>(gradients));
  // 4 linears of 128 experts.
  const backend::rank1_gates_shape gates{.parts = 4, .experts = 128};
  const array<cuda, float> intuition(device, shape{2, 128}, 0.5f);
  const device_view<const float> g = b.matrix().col_range(0, 512);
  rank1_gates_forward(device, gates, a.matrix(), intuition.matrix(), ids.matrix(), one.matrix(), one.matrix(),
                      y.matrix().col_range(0, 512));
  rank1_gates_backward(device, gates, a.matrix(), intuition.matrix(), ids.matrix(), one.matrix(), one.matrix(), g, 0.0f,
                       y.matrix(), device_view<float>(), device_view<float>(), device_view<float>());
  device.finish();
}
