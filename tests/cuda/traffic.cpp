// One launch of each kernel that memory bounds, on shapes where nothing is odd: tests/cuda/traffic.py runs this case by
// itself and reads what cudasim counted.
#include <cstdlib>

#include <doctest/doctest.h>

#include "mor1e/backend/cuda.hpp"
#include "mor1e/ops/add.hpp"
#include "mor1e/ops/mse_loss.hpp"
#include "mor1e/ops/silu.hpp"

using namespace mor1e;

TEST_CASE("cuda: traffic") {
  if (!std::getenv("CUDASIM_STATS")) return;
  constexpr index_t rows = 256, cols = 1024;
  cuda device({.host_threads = 1});
  array<cuda, float> a(device, shape{rows, cols}, 0.5f), b(device, shape{rows, cols}, 0.25f),
      y(device, shape{rows, cols}, 0.0f), wide(device, shape{rows, 2 * cols}, 0.5f),
      wide_y(device, shape{rows, 2 * cols}, 0.0f), row(device, shape{1, cols}, 1.0f),
      row_y(device, shape{1, cols}, 0.0f), column(device, shape{1, rows}, 1.0f), column_y(device, shape{1, rows}, 0.0f),
      one(device, shape{1, 1}, 0.0f), turned(device, shape{cols, rows}, 0.0f);
  const auto in = [](const array<cuda, float>& x) { return x.matrix(); };
  tensor<std::int32_t> numbers(shape{1, rows});
  for (index_t i = 0; i < rows; ++i) numbers[i] = std::int32_t(rows - 1 - i);
  const array<cuda, std::int32_t> index(device, numbers);

  map_forward(device, ops::silu_op(), in(a), y.matrix());
  map_backward(device, ops::silu_op(), in(a), in(b), 0.0f, y.matrix());
  gated_forward(device, ops::silu_op(), in(wide), y.matrix());
  gated_backward(device, ops::silu_op(), in(wide), in(a), 0.0f, wide_y.matrix());
  axpby(device, 2.0f, in(a), 1.0f, y.matrix());
  multiply(device, in(a), in(b), 0.0f, y.matrix());
  zip_forward(device, ops::add_op(), in(a), in(row), 0.0f, y.matrix());
  zip_sum(device, ops::mse_loss_op(), 1.0f, in(a), in(b), one.matrix());
  sum(device, in(a), 0.0f, one.matrix());
  column_sums(device, in(a), 0.0f, row_y.matrix());
  row_sums(device, in(a), column_y.matrix());
  gather_rows(device, 1.0f, in(a), index.matrix(), y.matrix());
  scatter_rows(device, 1.0f, in(a), index.matrix(), 1.0f, y.matrix());
  softmax_forward(device, in(a), y.matrix());
  softmax_backward(device, in(a), in(b), 0.0f, y.matrix());
  rms_norm_forward(device, in(a), in(row), 1e-5f, 0.0f, y.matrix(), column_y.matrix());
  rms_norm_backward(device, in(a), in(row), 0.0f, in(column), in(b), 0.0f, y.matrix());
  layer_norm_forward(device, in(a), in(row), in(row), 1e-5f, y.matrix(), column_y.matrix(), column_y.matrix());
  layer_norm_backward(device, in(a), in(row), in(column), in(column), in(b), 0.0f, y.matrix());
  transposed(device, in(a), 0.0f, turned.matrix());
  device.finish();
}
