#include "mor1e/ops/attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "doctest/doctest.h"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/ops/attention_cached.hpp"
#include "mor1e/testing/golden.hpp"

using namespace mor1e;

namespace {

using fields = std::vector<std::int32_t>;

view<const std::int32_t> matrix_of(const fields& f) {
  return {f.data(), index_t(f.size()) / segment_fields, segment_fields};
}

template <class T>
tensor<T> uniform_matrix(index_t rows, index_t cols, std::uint64_t key) {
  tensor<T> out(shape{rows, cols});
  for (index_t i = 0; i < out.size(); ++i) out[i] = T(uniform<double>(key, i) * 4 - 2);
  return out;
}

/// Output and gradient of one attention; the gradient is added to ones. Row i has row `first` + i of one large
/// cotangent.
template <class T>
struct both_ways {
  tensor<T> out, lse, gradient;

  template <class B>
  both_ways(B& device, const ops::attention_attributes& a, const tensor<T>& qkv, const fields& segments,
            index_t first = 0)
      : out(shape{qkv.extents().rows(), index_t(a.heads) * a.head_dim}),
        lse(shape{qkv.extents().rows(), a.heads}),
        gradient(qkv.extents(), T(1)) {
    const view<const T> x = qkv.matrix();
    const tensor<T> cotangent = uniform_matrix<T>(first + x.rows, out.extents().cols(), 9);
    tensor<T> delta(lse.extents());
    const view<T> d = gradient.matrix();
    const auto rows = matrix_of(segments);
    attention_forward(device, a.shape(), a.q(x), a.k(x), a.v(x), rows, out.matrix(), lse.matrix());
    attention_backward(device, a.shape(), a.q(x), a.k(x), a.v(x), rows, view<const T>(out.matrix()),
                       view<const T>(lse.matrix()), cotangent.matrix().row_range(first, x.rows), T(1), a.q(d), a.k(d),
                       a.v(d), delta.matrix());
  }
};

template <class T>
bool same_bits(const tensor<T>& a, const tensor<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), std::size_t(a.size()) * sizeof(T)) == 0;
}

const ops::attention_attributes grouped{.heads = 6, .kv_heads = 2, .head_dim = 40, .scale = 0.2};
// A prompt, two branches of it, dead rows, a long sequence.
const fields mixed{0, 70, 0, 0, 0, 70, 75, 70, 0, 70, 75, 165, 75, 5, 70, 0, 0, 0, 0, 0, 180, 400, 180, 0, 0};

}  // namespace

TEST_CASE("attention: many tiles, gradients added, agree with the reference") {
  cpu device(3);
  reference oracle;
  for (int kind = 0; kind < 4; ++kind) {
    CAPTURE(kind);
    ops::attention_attributes a = grouped;
    a.causal = kind != 1;
    a.window = kind == 2 ? 37 : 0;
    a.alibi = kind == 3;
    const tensor<float> qkv = uniform_matrix<float>(410, 400, 1);
    const both_ways<float> ours(device, a, qkv, mixed), theirs(oracle, a, qkv, mixed);
    CHECK(testing::violation(ours.out.data(), theirs.out.data(), ours.out.size(), {.mtol = 1e-5}) == "");
    CHECK(testing::violation(ours.lse.data(), theirs.lse.data(), ours.lse.size(), {.mtol = 1e-5}) == "");
    CHECK(testing::violation(ours.gradient.data(), theirs.gradient.data(), ours.gradient.size(), {.mtol = 1e-5}) == "");
  }
}

TEST_CASE("attention: the number of threads changes no bit") {
  cpu one(1), four(4);
  const tensor<float> qkv = uniform_matrix<float>(410, 400, 1);
  const both_ways<float> a(one, grouped, qkv, mixed), b(four, grouped, qkv, mixed);
  CHECK(same_bits(a.out, b.out));
  CHECK(same_bits(a.gradient, b.gradient));
}

TEST_CASE("attention: packed sequences do not see each other") {
  cpu device(2);
  const tensor<float> qkv = uniform_matrix<float>(90, 400, 1);
  const both_ways<float> packed(device, grouped, qkv, {0, 50, 0, 0, 0, 50, 90, 50, 0, 0});
  tensor<float> second(shape{40, 400});
  std::copy_n(qkv.data() + 50 * 400, second.size(), second.data());
  const both_ways<float> alone(device, grouped, second, {0, 40, 0, 0, 0}, 50);
  CHECK(testing::violation(packed.out.data() + 50 * 240, alone.out.data(), alone.out.size(), {.mtol = 1e-6}) == "");
  CHECK(testing::violation(packed.gradient.data() + 50 * 400, alone.gradient.data(), alone.gradient.size(),
                           {.mtol = 1e-5}) == "");
}

TEST_CASE("attention: a shared prefix equals repeating it") {
  cpu device(2);
  // Rows: prompt of 30, then two branches of 12; against prompt + branch twice.
  const tensor<double> qkv = uniform_matrix<double>(54, 400, 1);
  const both_ways<double> shared(device, grouped, qkv, {0, 30, 0, 0, 0, 30, 42, 30, 0, 30, 42, 54, 42, 0, 30});
  for (int branch : {0, 1}) {
    tensor<double> repeated(shape{42, 400});
    std::copy_n(qkv.data(), 30 * 400, repeated.data());
    std::copy_n(qkv.data() + (30 + 12 * branch) * 400, 12 * 400, repeated.data() + 30 * 400);
    const both_ways<double> alone(device, grouped, repeated, {0, 42, 0, 0, 0});
    CHECK(testing::violation(shared.out.data() + (30 + 12 * branch) * 240, alone.out.data() + 30 * 240, 12 * 240,
                             {.mtol = 1e-13}) == "");
  }
}

TEST_CASE("attention: large scores neither overflow nor lose the sum") {
  cpu device(1);
  reference oracle;
  tensor<float> qkv = uniform_matrix<float>(100, 3 * 16, 1);
  for (float& x : qkv) x *= 20;
  const ops::attention_attributes a{.head_dim = 16, .scale = 1};
  const both_ways<float> ours(device, a, qkv, {0, 100, 0, 0, 0});
  const both_ways<double> theirs(oracle, a,
                                 [&] {
                                   tensor<double> wide(qkv.extents());
                                   std::copy(qkv.begin(), qkv.end(), wide.begin());
                                   return wide;
                                 }(),
                                 {0, 100, 0, 0, 0});
  // Scores of some thousands carry an error of 1e-7 of themselves into the exponent.
  CHECK(testing::violation(ours.out.data(), theirs.out.data(), ours.out.size(), {.mtol = 1e-3}) == "");
  for (float x : ours.gradient) REQUIRE(std::isfinite(x));
}

TEST_CASE("attention: segments outside the matrices are refused") {
  cpu device(1);
  const tensor<float> qkv = uniform_matrix<float>(4, 3, 1);
  const auto run = [&](const fields& segments) { both_ways<float>(device, {}, qkv, segments); };
  CHECK_NOTHROW(run({0, 4, 0, 0, 0}));
  CHECK_THROWS_AS(run({0, 5, 0, 0, 0}), value_error);
  CHECK_THROWS_AS(run({3, 2, 0, 0, 0}), value_error);
  CHECK_THROWS_AS(run({0, 3, 0, 0, 0, 2, 4, 2, 0, 0}), value_error);
  CHECK_THROWS_AS(run({0, 3, 2, 0, 0}), value_error);
  CHECK_THROWS_AS(run({0, 3, -1, 0, 0}), value_error);
  CHECK_THROWS_AS(run({0, 3, 0, 1, 0}), value_error);
  CHECK_THROWS_AS(run({0, 3, 0, 0, 5}), value_error);
}

TEST_CASE("attention_cached: token by token equals all at once") {
  cpu device(2);
  const index_t tokens = 21, capacity = 30;
  for (bool interleaved : {false, true}) {
    ops::attention_attributes a{.heads = 6, .kv_heads = 2, .head_dim = 40, .scale = 0.2, .window = 9};
    if (interleaved) a = {.heads = 2, .kv_heads = 2, .head_dim = 20, .scale = 0.2, .interleaved = true};
    const index_t width = index_t(a.heads + 2 * a.kv_heads) * a.head_dim;
    const tensor<float> qkv = uniform_matrix<float>(tokens, width, 1);
    const both_ways<float> whole(device, a, qkv, {0, std::int32_t(tokens), 0, 0, 0});
    const shape extents{capacity, index_t(a.kv_heads) * a.head_dim};
    array<cpu, float> keys(device, extents, 99.f), values(device, extents, 99.f);
    // A prompt of five, then one at a time, into rows 3, 4, ... of the cache.
    for (std::int32_t begin = 0, end = 5; begin < tokens; begin = end, ++end) {
      tape t(device, recording::forward);
      const fields segments{0, end - begin, 3 + begin, 3, 3 + begin};
      const auto x = t.input<float>(std::as_const(qkv).matrix().row_range(begin, end - begin));
      const auto out = t.read(ops::attention_cached(t, x, t.constant(keys), t.constant(values),
                                                    t.input<std::int32_t>(matrix_of(segments)), a));
      const index_t of_out = out.extents().cols();
      CHECK(testing::violation(out.data(), whole.out.data() + begin * of_out, out.size(), {.mtol = 1e-6}) == "");
    }
    CHECK(keys.matrix()(2, 0) == 99);
    CHECK(keys.matrix()(3 + tokens, 0) == 99);
    CHECK(values.matrix()(3, 0) == a.v(std::as_const(qkv).matrix())(0, 0));
  }
}
