#include "mor1e/ops/rotary.hpp"

#include <cmath>
#include <vector>

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/ops/rotary_table.hpp"

using namespace mor1e;

namespace {

tensor<float> turned(cpu& device, const tensor<float>& x, const std::vector<std::int32_t>& positions, int heads,
                     int head_dim) {
  tape t(device, recording::forward);
  const auto at = t.input<std::int32_t>({positions.data(), index_t(positions.size()), 1});
  return t.read(
      ops::rotary(t, t.input<float>(x.matrix()), ops::rotary_table<float>(t, at, {.dim = head_dim}), heads, head_dim));
}

}  // namespace

TEST_CASE("rotary_table: cosines, then sines, of position times frequency") {
  cpu device(1);
  tape t(device, recording::forward);
  const std::vector<std::int32_t> positions{0, 131071};
  const auto table = t.read(
      ops::rotary_table<double>(t, t.input<std::int32_t>({positions.data(), 2, 1}), {.theta = 1e5, .dim = 4}, 1.5));
  for (int i = 0; i < 2; ++i) {
    const double angle = 131071 * std::pow(1e5, -i / 2.0);
    CHECK(table[i] == 1.5);
    CHECK(table[2 + i] == 0);
    CHECK(table[4 + i] == doctest::Approx(1.5 * std::cos(angle)).epsilon(1e-12));
    CHECK(table[6 + i] == doctest::Approx(1.5 * std::sin(angle)).epsilon(1e-12));
  }
}

TEST_CASE("rotary: position 0 changes nothing, others keep lengths, products see the distance alone") {
  cpu device(1);
  const int dim = 64;
  // Rows: a query and a key, both at five places, always three apart.
  tensor<float> x(shape{10, dim});
  for (index_t t = 0; t < 10; ++t)
    for (int c = 0; c < dim; ++c) x[t * dim + c] = uniform<float>(1, (t % 2) * dim + c) - 0.5f;
  const auto y = turned(device, x, {3, 0, 10, 7, 103, 100, 1003, 1000, 8000, 7997}, 1, dim);
  const auto dot = [&](const tensor<float>& m, index_t a, index_t b) {
    double sum = 0;
    for (int c = 0; c < dim; ++c) sum += double(m[a * dim + c]) * m[b * dim + c];
    return sum;
  };
  for (int c = 0; c < dim; ++c) CHECK(y[dim + c] == x[dim + c]);
  CHECK(dot(y, 0, 1) != doctest::Approx(dot(x, 0, 1)).epsilon(1e-3));
  for (index_t pair = 0; pair < 10; pair += 2) {
    CHECK(dot(y, pair, pair) == doctest::Approx(dot(x, pair, pair)).epsilon(1e-5));
    CHECK(std::abs(dot(y, pair, pair + 1) - dot(y, 0, 1)) <= 1e-4);
  }
}

TEST_CASE("rotary: over its own input") {
  cpu device(1);
  tensor<float> x(shape{3, 50}), table(shape{3, 12}), y(x.extents());
  for (index_t i = 0; i < x.size(); ++i) x[i] = uniform<float>(1, i);
  for (index_t i = 0; i < table.size(); ++i) table[i] = uniform<float>(2, i);
  const view<const float> read = std::as_const(x).matrix(), angles = std::as_const(table).matrix();
  rotary_turn(device, 3, 15, 1.f, read, angles, 0.f, y.matrix());
  rotary_turn(device, 3, 15, 1.f, read, angles, 0.f, x.matrix());
  for (index_t i = 0; i < x.size(); ++i) CHECK(x[i] == y[i]);
}
