// Products of a frozen weight in fewer bits, beside the same rounded operands multiplied by loops.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/cpu/rounded/avx2_block.hpp"
#include "mor1e/backend/cpu/rounded/avx512_block.hpp"
#include "mor1e/backend/cpu/rounded/dot_weight.hpp"
#ifdef MOR1E_ONEDNN
#include "mor1e/backend/cpu/onednn/rounded_weight.hpp"
#endif
#include "mor1e/backend/reference.hpp"
#include "mor1e/core/dtype.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/testing/golden.hpp"
#include "stored_rows.hpp"

using namespace mor1e;
using backend::operand_rounding;
using backend::transpose;

namespace {

tensor<float> drawn(index_t rows, index_t cols, std::uint64_t seed) {
  rng draw(seed);
  tensor<float> out(shape{rows, cols});
  for (float& v : out) v = float(draw.normal());
  return out;
}

/// A tensor whose rows are `how` of the rows of x.
template <class F>
tensor<float> by_rows(const tensor<float>& x, F how) {
  tensor<float> out = x.clone();
  for (index_t i = 0; i < x.extents().rows(); ++i) how(out.matrix().row_range(i, 1));
  return out;
}

/// 255 steps between the largest magnitudes of a row of a weight.
void to_int8(view<float> row) {
  float largest = 0;
  for (index_t j = 0; j < row.cols; ++j) largest = std::max(largest, std::abs(row[j]));
  if (largest == 0) return;
  for (index_t j = 0; j < row.cols; ++j) row[j] = largest / 127 * (std::floor(row[j] * (127 / largest) + 128.5f) - 128);
}
/// The same in parts of about 192 columns that begin at multiples of 64, as of what multiplies a weight.
void to_int8_in_parts(view<float> row) {
  const index_t parts = (row.cols - 1) / 192 + 1;
  const auto begin = [&](index_t part) { return std::min(row.cols, (row.cols * part / parts + 63) / 64 * 64); };
  for (index_t part = 0; part < parts; ++part) to_int8(row.col_range(begin(part), begin(part + 1) - begin(part)));
}
void to_bf16(view<float> row) {
  for (index_t j = 0; j < row.cols; ++j) row[j] = bf16_to_float(float_to_bf16(row[j]));
}

/// y = x op(W) + beta y with operands rounded as the documents say, in double.
tensor<float> composed(cpu_products how, transpose tw, const tensor<float>& x, const tensor<float>& w, float beta,
                       const tensor<float>& y) {
  tensor<float> weight = by_rows(w, how == cpu_products::int8 ? to_int8 : to_bf16), input = x.clone();
  if (how == cpu_products::int8 && tw == transpose::no)
    // The scale of a row of W goes into x before that is rounded, and out of W.
    for (index_t k = 0; k < w.extents().rows(); ++k) {
      float largest = 0;
      for (index_t j = 0; j < w.extents().cols(); ++j) largest = std::max(largest, std::abs(w(k, j)));
      const float scale = largest / 127;
      for (index_t i = 0; i < x.extents().rows(); ++i) input(i, k) *= scale;
      for (index_t j = 0; j < w.extents().cols() && scale > 0; ++j) weight(k, j) /= scale;
    }
  input = by_rows(input, how == cpu_products::int8 ? to_int8_in_parts : to_bf16);
  tensor<float> out = y.clone();
  for (index_t i = 0; i < out.extents().rows(); ++i)
    for (index_t j = 0; j < out.extents().cols(); ++j) {
      double sum = beta == 0 ? 0 : double(beta) * double(y(i, j));
      for (index_t k = 0; k < input.extents().cols(); ++k)
        sum += double(input(i, k)) * double(tw == transpose::yes ? weight(j, k) : weight(k, j));
      out(i, j) = float(sum);
    }
  return out;
}

using product = std::function<void(view<const float> x, float beta, view<float> y)>;

template <class Weight>
product packed_product(cpu& device, transpose tw, const cpu::frozen<float>& w) {
  const auto packed = std::make_shared<Weight>(device, tw, w);
  return [&device, packed](auto x, float beta, auto y) { packed->multiply(device, x, beta, y); };
}

/// x op(W) + beta y as programs compute it, and by other instructions or by oneDNN, as other processors would.
std::vector<product> products(cpu& device, transpose tw, const cpu::frozen<float>& w) {
  using namespace backend::detail;
  std::vector<product> out{[&device, tw, &w](auto x, float beta, auto y) { frozen_gemm(device, tw, x, w, beta, y); }};
  [[maybe_unused]] const bool int8 = device.products() == cpu_products::int8;
#if defined(__x86_64__)
  if (int8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    out.push_back(packed_product<dot_weight<avx2_block>>(device, tw, w));
#endif
#ifdef MOR1E_ONEDNN
  if (onednn_rounds(device.products()))
    out.push_back(int8 ? packed_product<onednn::rounded_weight<int8_operands>>(device, tw, w)
                       : packed_product<onednn::rounded_weight<bf16_operands>>(device, tw, w));
#endif
  return out;
}

bool available(cpu_products how) {
  const std::string problem = backend::products_problem(how);
  if (problem.empty()) return true;
  MESSAGE("not tested: ", problem);
  CHECK_THROWS_WITH_AS(cpu(1, how), problem.c_str(), value_error);
  return false;
}

}  // namespace

TEST_CASE("products of rounded operands are what loops make of them") {
  for (const cpu_products how : {cpu_products::bf16, cpu_products::int8}) {
    if (!available(how)) continue;
    cpu device(2, how);
    for (const auto& [outputs, inputs] :
         {std::pair{7, 5}, {1, 1}, {64, 64}, {37, 100}, {193, 96}, {96, 194}, {700, 96}, {96, 700}})
      for (const transpose tw : {transpose::yes, transpose::no})
        for (const index_t tokens : {1, 3, 64, 131}) {
          CAPTURE(int(how));
          CAPTURE(outputs);
          CAPTURE(inputs);
          CAPTURE(tokens);
          const index_t inner = tw == transpose::yes ? inputs : outputs, cols = inputs + outputs - inner;
          const tensor<float> w = drawn(outputs, inputs, 1), x = drawn(tokens, inner, 2), y = drawn(tokens, cols, 3);
          const cpu::frozen<float> weight(device, w.clone());
          const cpu::frozen<float> stored(
              device, std::shared_ptr<const row_source<float>>(std::make_shared<testing::stored_rows>(w.clone())));
          const float betas[] = {0, 1, 0.5f};
          std::vector<tensor<float>> expected;
          for (const float beta : betas) expected.push_back(composed(how, tw, x, w, beta, y));
          for (const auto* from : {&weight, &stored})
            for (const product& multiply : products(device, tw, *from))
              for (std::size_t b = 0; b < 3; ++b) {
                // As a part of a wider matrix: its neighbours stay as they are.
                tensor<float> wide(shape{tokens, cols + 2}, 9.f), got(shape{tokens, cols});
                const view<float> part = wide.matrix().col_range(1, cols);
                for (index_t i = 0; i < tokens; ++i) std::copy_n(y.matrix().row(i), cols, part.row(i));
                if (betas[b] == 0) part(0, 0) = std::numeric_limits<float>::quiet_NaN();
                multiply(x.matrix(), betas[b], part);
                for (index_t i = 0; i < tokens; ++i) {
                  std::copy_n(part.row(i), cols, got.matrix().row(i));
                  CHECK(wide(i, 0) == 9.f);
                  CHECK(wide(i, cols + 1) == 9.f);
                }
                // A value between two steps of int8 may go to either, which moves a sum by a step of x times a weight.
                const double step = how == cpu_products::int8 ? 0.12 : 1e-4;
                CHECK(testing::violation(expected[b].data(), got.data(), std::size_t(got.size()),
                                         {.atol = step, .rtol = 1e-4}) == "");
              }
        }
  }
}

#if defined(__x86_64__)
TEST_CASE("int8 products have the same bits whichever instructions compute them") {
  using namespace backend::detail;
  if (dot_instructions(cpu_products::int8) != instructions::avx512) return;
  cpu device(2, cpu_products::int8);
  for (const transpose tw : {transpose::yes, transpose::no}) {
    const cpu::frozen<float> w(device, drawn(300, 300, 1));
    const tensor<float> x = drawn(70, 300, 2);
    tensor<float> y(shape{70, 300}), z(shape{70, 300});
    frozen_gemm(device, tw, x.matrix(), w, 0.f, y.matrix());
    packed_product<dot_weight<avx2_block>>(device, tw, w)(x.matrix(), 0.f, z.matrix());
    CHECK(std::memcmp(y.data(), z.data(), std::size_t(y.size()) * sizeof(float)) == 0);
  }
}
#endif

TEST_CASE("a product's name says what its operands are rounded to, and who multiplies") {
  for (const cpu_products how : {cpu_products::bf16, cpu_products::int8}) {
    if (!available(how)) continue;
    const std::string who =
        backend::detail::dot_instructions(how) != backend::detail::instructions::none ? "mor1e" : "onednn";
    CHECK(backend::products_name(how) == who + (how == cpu_products::bf16 ? " bf16" : " int8"));
  }
  const std::string exact = backend::products_name(cpu_products::fp32);
  CHECK((exact == "onednn" || exact == "eigen"));
}

TEST_CASE("rounded products do not depend on the number of threads") {
  for (const cpu_products how : {cpu_products::bf16, cpu_products::int8}) {
    if (!available(how)) continue;
    std::vector<tensor<float>> results;
    for (const int threads : {1, 2, 3}) {
      cpu device(threads, how);
      for (const transpose tw : {transpose::yes, transpose::no}) {
        const cpu::frozen<float> w(device, drawn(600, 600, 1));
        tensor<float> y(shape{200, 600});
        const tensor<float> x = drawn(200, 600, 2);
        frozen_gemm(device, tw, x.matrix(), w, 0.f, y.matrix());
        results.push_back(std::move(y));
      }
    }
    for (std::size_t i = 2; i < results.size(); ++i)
      CHECK(std::memcmp(results[i].data(), results[i % 2].data(), std::size_t(results[i].size()) * sizeof(float)) == 0);
  }
}

TEST_CASE("where rounding is to be avoided, the product is that of fp32") {
  for (const cpu_products how : {cpu_products::bf16, cpu_products::int8}) {
    if (!available(how)) continue;
    cpu rounds(2, how), exact(2);
    const cpu::frozen<float> a(rounds, drawn(50, 40, 1)), b(exact, drawn(50, 40, 1));
    const tensor<float> x = drawn(9, 40, 2);
    tensor<float> y(shape{9, 50}), z(shape{9, 50});
    frozen_gemm(rounds, transpose::yes, x.matrix(), a, 0.f, y.matrix(), operand_rounding::avoided);
    frozen_gemm(exact, transpose::yes, x.matrix(), b, 0.f, z.matrix());
    CHECK(std::memcmp(y.data(), z.data(), std::size_t(y.size()) * sizeof(float)) == 0);
    frozen_gemm(rounds, transpose::yes, x.matrix(), a, 0.f, y.matrix());
    CHECK(std::memcmp(y.data(), z.data(), std::size_t(y.size()) * sizeof(float)) != 0);
  }
}

TEST_CASE("a value that is not finite spoils its row alone, and a row of zeros stays one") {
  for (const cpu_products how : {cpu_products::bf16, cpu_products::int8}) {
    if (!available(how)) continue;
    cpu device(1, how);
    const cpu::frozen<float> w(device, drawn(30, 20, 1));
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      tensor<float> x = drawn(3, 20, 2), y(shape{3, 30});
      x(1, 7) = bad;
      std::fill_n(x.matrix().row(2), 20, 0.f);
      frozen_gemm(device, transpose::yes, std::as_const(x).matrix(), w, 0.f, y.matrix());
      for (index_t j = 0; j < 30; ++j) {
        CHECK(std::isfinite(y(0, j)));
        CHECK_FALSE(std::isfinite(y(1, j)));
        CHECK(y(2, j) == 0);
      }
    }
  }
}
