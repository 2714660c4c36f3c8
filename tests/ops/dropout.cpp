// Dropout: how often, and by what.
#include "mor1e/ops/dropout.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"

using namespace mor1e;

namespace {

/// y of ones: one row for each (example, position).
tensor<float> drop_ones(double rate, std::uint64_t site, const std::vector<std::int32_t>& examples,
                        const std::vector<std::int32_t>& positions, std::vector<std::int32_t> draw, index_t cols) {
  cpu device(2);
  tape<cpu> t(device, recording::forward);
  const index_t rows = index_t(examples.size());
  const tensor<float> x(shape{rows, cols}, 1.f);
  const auto column = [&](const std::vector<std::int32_t>& v) {
    return t.input<std::int32_t>(view<const std::int32_t>(v.data(), rows, 1));
  };
  const auto key = t.input<std::int32_t>(view<const std::int32_t>(draw.data(), 1, 2));
  return t.read(ops::dropout(t, t.input<float>(x.matrix()), rate, site, column(examples), column(positions), key));
}

bool equal_rows(const tensor<float>& a, index_t i, const tensor<float>& b, index_t j) {
  const index_t n = a.extents()[1];
  return std::equal(a.data() + i * n, a.data() + (i + 1) * n, b.data() + j * n);
}

}  // namespace

TEST_CASE("the mean stays, and as much is dropped as was asked for") {
  std::vector<std::int32_t> examples(500, 3), positions(500);
  for (int i = 0; i < 500; ++i) positions[std::size_t(i)] = i;
  for (const double rate : {0.1, 0.5, 0.9}) {
    const tensor<float> y = drop_ones(rate, 1, examples, positions, {1, 2}, 200);
    double sum = 0;
    index_t zeros = 0, others = 0;
    for (const float v : y) {
      sum += v, zeros += v == 0;
      others += v != 0 && v != float(1 / (1 - rate));
    }
    CHECK(others == 0);
    const double n = double(y.size()), deviation = std::sqrt(rate * (1 - rate) / n);
    CHECK(std::abs(double(zeros) / n - rate) < 5 * deviation);
    CHECK(std::abs(sum / n - 1) < 5 * deviation / (1 - rate));
  }
  for (const float v : drop_ones(0, 1, examples, positions, {1, 2}, 7)) CHECK(v == 1);
}

TEST_CASE("a row is dropped by its site, step, example and position, wherever it lies") {
  const tensor<float> y = drop_ones(0.5, 1, {0, 0, 1, 1}, {0, 1, 0, 1}, {1, 2}, 65);
  const tensor<float> moved = drop_ones(0.5, 1, {1, 0, 0, 1}, {1, 1, 0, 0}, {1, 2}, 65);
  CHECK(equal_rows(y, 0, moved, 2));
  CHECK(equal_rows(y, 1, moved, 1));
  CHECK(equal_rows(y, 2, moved, 3));
  CHECK(equal_rows(y, 3, moved, 0));
  for (index_t i = 0; i < 4; ++i)
    for (index_t j = 0; j < i; ++j) CHECK_FALSE(equal_rows(y, i, y, j));
  CHECK_FALSE(equal_rows(y, 0, drop_ones(0.5, 2, {0}, {0}, {1, 2}, 65), 0));
  CHECK_FALSE(equal_rows(y, 0, drop_ones(0.5, 1, {0}, {0}, {2, 2}, 65), 0));
  CHECK_FALSE(equal_rows(y, 0, drop_ones(0.5, 1, {0}, {0}, {1, 3}, 65), 0));
}
