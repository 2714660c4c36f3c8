// Functions of two operands beyond what the generated tests of each op see.
#include "mor1e/ops/zip.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/ops/add.hpp"
#include "mor1e/ops/divide.hpp"
#include "mor1e/ops/maximum.hpp"
#include "mor1e/ops/power.hpp"
#include "mor1e/ops/subtract.hpp"

using namespace mor1e;

namespace {

tensor<float> random(index_t rows, index_t cols, std::uint64_t key) {
  tensor<float> out(shape{rows, cols});
  for (index_t i = 0; i < out.size(); ++i) out[i] = float(0.5 + uniform<double>(key, i));
  return out;
}

struct gradients {
  tensor<float> a, b;
};

/// Gradients of the sum over `consumers` of <a / b, cotangent>.
gradients of_divide(int threads, const tensor<float>& a, const tensor<float>& b, int consumers = 1) {
  cpu device(threads);
  tape t(device);
  const auto x = t.input<float>(a.matrix(), true), y = t.input<float>(b.matrix(), true);
  auto root = ops::divide(t, x, y);
  for (int k = 1; k < consumers; ++k) root = ops::add(t, root, ops::divide(t, x, y));
  const tensor<float> cotangent = random(root.rows, root.cols, 3);
  t.backward(root, cotangent.matrix());
  return {t.gradient(x), t.gradient(y)};
}

}  // namespace

TEST_CASE("zip: the gradient of a repeated operand has the same bits on any number of threads") {
  const index_t rows = 300, cols = 257;
  const tensor<float> whole = random(rows, cols, 1);
  for (const auto& other : {random(1, cols, 2), random(rows, 1, 2), random(1, 1, 2)}) {
    const gradients one = of_divide(1, whole, other), three = of_divide(3, whole, other);
    for (index_t i = 0; i < one.a.size(); ++i) REQUIRE(one.a[i] == three.a[i]);
    for (index_t i = 0; i < one.b.size(); ++i) REQUIRE(one.b[i] == three.b[i]);
  }
}

TEST_CASE("zip: gradients of two consumers add up") {
  const tensor<float> whole = random(5, 19, 1);
  for (const auto& other : {random(5, 19, 2), random(1, 19, 2), random(5, 1, 2), random(1, 1, 2)}) {
    const gradients one = of_divide(1, whole, other), two = of_divide(1, whole, other, 2);
    for (index_t i = 0; i < one.a.size(); ++i) CHECK(two.a[i] == doctest::Approx(2 * one.a[i]).epsilon(1e-6));
    for (index_t i = 0; i < one.b.size(); ++i) CHECK(two.b[i] == doctest::Approx(2 * one.b[i]).epsilon(1e-6));
  }
}

TEST_CASE("zip: an operand used twice") {
  cpu device(1);
  tape t(device);
  const tensor<float> a = random(3, 4, 1);
  const auto x = t.input<float>(a.matrix(), true);
  const auto y = ops::subtract(t, x, x);
  t.keep(y);
  const tensor<float> cotangent = random(3, 4, 2);
  t.backward(y, cotangent.matrix());
  for (float v : t.read(y)) CHECK(v == 0);
  for (float v : t.gradient(x)) CHECK(v == 0);
}

TEST_CASE("maximum: NaN in either operand gives NaN") {
  cpu device(1);
  tape t(device, recording::forward);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> a{nan, 1, 2, -1}, b{1, nan, 1, 3};
  const auto y = t.read(ops::maximum(t, t.input<float>({a.data(), 1, 4}), t.input<float>({b.data(), 1, 4})));
  CHECK(std::isnan(y[0]));
  CHECK(std::isnan(y[1]));
  CHECK(y[2] == 2);
  CHECK(y[3] == 3);
}

TEST_CASE("power: a base of zero has finite gradients") {
  cpu device(1);
  tape t(device);
  const std::vector<float> a{0, 0, -2}, b{0, 2, 3}, ones{1, 1, 1};
  const auto x = t.input<float>({a.data(), 1, 3}, true), n = t.input<float>({b.data(), 1, 3}, true);
  const auto y = ops::power(t, x, n);
  t.keep(y);
  t.backward(y, view<const float>(ones.data(), 1, 3));
  const auto value = t.read(y), da = t.gradient(x), db = t.gradient(n);
  CHECK(value[0] == 1);
  CHECK(value[1] == 0);
  CHECK(value[2] == -8);
  CHECK(da[0] == 0);
  CHECK(da[1] == 0);
  CHECK(da[2] == 12);
  CHECK(db[0] == 0);
  CHECK(db[1] == 0);
}
