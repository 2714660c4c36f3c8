#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cuda.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;
using backend::transpose;

namespace {

/// The nearest number of 8 bits, ties to even: bf16.
float to_bf16(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x);
  return __builtin_bit_cast(float, (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
}
tensor<float> rounded(const tensor<float>& x) {
  tensor<float> out = x.clone();
  for (float& v : out) v = to_bf16(v);
  return out;
}

/// x op(W) in double, of values of float.
tensor<double> product(const tensor<float>& x, const tensor<float>& w, transpose t) {
  const index_t n = t == transpose::no ? w.extents()[1] : w.extents()[0], k = x.extents()[1];
  tensor<double> y(shape{x.extents()[0], n}, 0.0);
  for (index_t i = 0; i < x.extents()[0]; ++i)
    for (index_t j = 0; j < n; ++j)
      for (index_t e = 0; e < k; ++e) y(i, j) += double(x(i, e)) * double(t == transpose::no ? w(e, j) : w(j, e));
  return y;
}

tensor<float> multiplied(cuda& device, const tensor<float>& x, const tensor<float>& w, transpose t) {
  const cuda::frozen<float> frozen(device, w);
  const array<cuda, float> in(device, x);
  array<cuda, float> out(device, shape{x.extents()[0], t == transpose::no ? w.extents()[1] : w.extents()[0]}, 1.0f);
  frozen_gemm(device, t, in.matrix(), frozen, 0.0f, out.matrix());
  return out.read();
}

}  // namespace

TEST_CASE("cuda: frozen weights in bf16 take half the memory and are rounded once") {
  cuda device({.products = cuda_products::bf16, .host_threads = 1});
  // More rows than are rounded at one time: 2^22 elements.
  const tensor<float> w = testing::random<float>(shape{1500, 3000}, 1);
  const cuda::frozen<float> frozen(device, w);
  CHECK(frozen.owned_bytes() == std::size_t(w.size()) * 2);
  CHECK(read_frozen(device, frozen) == rounded(w));

  // Rows that lie apart, as in a mapped file.
  const view<const float> part = w.matrix().row_range(3, 40).col_range(5, 77);
  const cuda::frozen<float> of_part(device, part, nullptr);
  const tensor<float> there = read_frozen(device, of_part);
  CHECK(there(39, 76) == to_bf16(w(42, 81)));
  CHECK(there(1, 0) == to_bf16(w(4, 5)));

  array<cuda, float> squares(device, shape{1, 1500}), rows(device, shape{2, 3000});
  row_squares(device, frozen, squares.matrix());
  double expected = 0;
  for (index_t j = 0; j < 3000; ++j) expected += double(to_bf16(w(7, j))) * double(to_bf16(w(7, j)));
  CHECK(std::abs(squares.read()[7] - expected) <= 1e-6 * expected);
  const array<cuda, std::int32_t> index(device, tensor<std::int32_t>({1, 2}, {1499, -1}));
  frozen_gather(device, 2.0f, frozen, index.matrix(), rows.matrix());
  CHECK(rows.read()(0, 2999) == 2 * to_bf16(w(1499, 2999)));
  CHECK(rows.read()(1, 0) == 0.0f);
}

TEST_CASE("cuda: what precision products have") {
  const tensor<float> x = testing::random<float>(shape{33, 70}, 2), w = testing::random<float>(shape{50, 70}, 3),
                      v = testing::random<float>(shape{70, 50}, 4);
  const auto check = [&](cuda_products products, double tolerance, double at_least) {
    cuda device({.products = products, .host_threads = 1});
    for (const transpose t : {transpose::no, transpose::yes}) {
      const tensor<float>& weight = t == transpose::no ? v : w;
      const tensor<float> ours = multiplied(device, x, weight, t);
      const tensor<double> exact = product(x, weight, t);
      double largest = 0, off = 0;
      for (index_t i = 0; i < exact.size(); ++i) {
        largest = std::max(largest, std::abs(exact[i]));
        off = std::max(off, std::abs(ours[i] - exact[i]));
      }
      CHECK(off <= tolerance * largest);
      CHECK(off >= at_least * largest);  // else the option did nothing
    }
  };
  check(cuda_products::fp32, 1e-6, 0);
  // 70 terms of which each is off by 2 x 2^-11 at most, where the largest sum is some 10.
  check(cuda_products::tf32, 1e-3, 1e-5);
  // The same with 2 x 2^-9.
  check(cuda_products::bf16, 4e-3, 1e-4);

  // In bf16 nothing but the operands is rounded: sums are of fp32.
  cuda device({.products = cuda_products::bf16, .host_threads = 1});
  const tensor<double> exact = product(rounded(x), rounded(w), transpose::yes);
  const tensor<float> ours = multiplied(device, x, w, transpose::yes);
  CHECK(testing::violation(ours.data(), exact.data(), exact.size(), {.mtol = 1e-6}) == "");
}

TEST_CASE("cuda: with bf16 weights, products of adapters stay fp32") {
  cuda device({.products = cuda_products::bf16, .host_threads = 1});
  const tensor<float> x = testing::random<float>(shape{20, 40}, 5), w = testing::random<float>(shape{40, 30}, 6);
  const array<cuda, float> a(device, x), b(device, w);
  array<cuda, float> y(device, shape{20, 30});
  gemm(device, transpose::no, transpose::no, 1.0f, a.matrix(), b.matrix(), 0.0f, y.matrix());
  const tensor<double> exact = product(x, w, transpose::no);
  CHECK(testing::violation(y.read().data(), exact.data(), exact.size(), {.mtol = 1e-6}) == "");
}
