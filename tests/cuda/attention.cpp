// Attention on the CUDA back end beyond the cases of its op: all head sizes, many tiles, and a long cache.
#include "mor1e/ops/attention.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/array.hpp"
#include "mor1e/backend/cuda.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

using fields = std::vector<std::int32_t>;

tensor<std::int32_t> matrix_of(const fields& f) {
  tensor<std::int32_t> out(shape{index_t(f.size()) / segment_fields, segment_fields});
  for (std::size_t i = 0; i < f.size(); ++i) out[index_t(i)] = f[i];
  return out;
}

/// Numbers that bf16 holds, so that a product of two of them has the same value on tensor cores and in fp32.
tensor<float> rounded(tensor<float> x) {
  for (float& v : x) v = std::bit_cast<float>(std::bit_cast<std::uint32_t>(v) & 0xffff0000u);
  return x;
}

/// Output and gradient of one attention on a device; the gradient is added to ones.
struct both_ways {
  tensor<float> out, lse, gradient;

  template <class B>
  both_ways(B& device, const ops::attention_attributes& a, const tensor<float>& values, const fields& of) {
    const shape result{values.extents().rows(), index_t(a.heads) * a.head_dim}, by_head{result.rows(), a.heads};
    const array<B, float> qkv(device, values), dout(device, rounded(testing::random<float>(result, 9)));
    const array<B, std::int32_t> segments(device, matrix_of(of));
    array<B, float> y(device, testing::random<float>(result, 5)), l(device, by_head), delta(device, by_head),
        d(device, tensor<float>(values.extents(), 1.0f));
    using in = view_of<B, const float>;
    const in x = qkv.matrix();
    const view_of<B, float> to = d.matrix();
    attention_forward(device, a.shape(), a.q(x), a.k(x), a.v(x), segments.matrix(), y.matrix(), l.matrix());
    attention_backward(device, a.shape(), a.q(x), a.k(x), a.v(x), segments.matrix(), in(y.matrix()), in(l.matrix()),
                       dout.matrix(), 1.0f, a.q(to), a.k(to), a.v(to), delta.matrix());
    out = y.read(), lse = l.read(), gradient = d.read();
  }
};

void check_against_reference(const ops::attention_attributes& a, index_t rows, const fields& segments,
                             cuda_products products = cuda_products::fp32) {
  cuda device({.products = products, .host_threads = 1});
  reference oracle;
  const tensor<float> qkv =
      rounded(testing::random<float>(shape{rows, index_t(a.heads + 2 * a.kv_heads) * a.head_dim}, 1, -2, 2));
  const both_ways ours(device, a, qkv, segments), theirs(oracle, a, qkv, segments);
  // On tensor cores shares and their gradients are rounded to bf16, each by 2^-9 of itself at most: the gradient of q
  // and k, a sum of both signs, is off by that much of its terms' size, which is some four times the sum's.
  const double rounding = products == cuda_products::bf16 ? 0x1p-9 : 0;
  CHECK(testing::violation(ours.out.data(), theirs.out.data(), ours.out.size(), {.mtol = 1e-5 + rounding}) == "");
  CHECK(testing::violation(ours.lse.data(), theirs.lse.data(), ours.lse.size(), {.mtol = 1e-5}) == "");
  CHECK(testing::violation(ours.gradient.data(), theirs.gradient.data(), ours.gradient.size(),
                           {.mtol = 1e-5 + 4 * rounding}) == "");
}

// A prompt, a branch of it, dead rows, a sequence of several tiles with a prefix in it, an empty one, dead rows.
const fields mixed{0, 20, 0, 0, 0, 20, 25, 20, 0, 20, 27, 110, 27, 5, 20, 0, 0, 0, 0, 0, 110, 113, 110, 0, 0};
constexpr index_t mixed_rows = 117;

}  // namespace

TEST_CASE("attention on CUDA: every size of head that a kernel is compiled for, and sizes between") {
  for (int head_dim : {1, 20, 32, 51, 64, 80, 96, 128, 130, 256}) {
    CAPTURE(head_dim);
    check_against_reference({.heads = 4, .kv_heads = 2, .head_dim = head_dim, .scale = 1.2 / head_dim}, mixed_rows,
                            mixed);
  }
}

TEST_CASE("attention on CUDA: who sees whom") {
  for (int kind = 0; kind < 6; ++kind) {
    CAPTURE(kind);
    ops::attention_attributes a{.heads = 6, .kv_heads = 2, .head_dim = 24, .scale = 0.2};
    a.causal = kind != 1 && kind != 3;
    a.window = kind == 2 || kind == 3 ? 37 : kind == 4 ? 1 : 0;
    a.alibi = kind == 5;
    check_against_reference(a, mixed_rows, mixed);
  }
}

TEST_CASE("attention on CUDA: on tensor cores in bf16") {
  for (int head_dim : {16, 32, 50, 64, 80, 128, 256}) {
    CAPTURE(head_dim);
    check_against_reference({.heads = 4, .kv_heads = 2, .head_dim = head_dim, .scale = 1.2 / head_dim}, mixed_rows,
                            mixed, cuda_products::bf16);
  }
  check_against_reference({.heads = 6, .kv_heads = 2, .head_dim = 24, .scale = 0.2, .window = 37, .causal = false},
                          mixed_rows, mixed, cuda_products::bf16);
  check_against_reference({.heads = 6, .kv_heads = 2, .head_dim = 24, .scale = 0.2, .alibi = true}, mixed_rows, mixed,
                          cuda_products::bf16);
}

TEST_CASE("attention on CUDA: heads interleaved, one key head for all, rows of no sequence alone") {
  check_against_reference({.heads = 3, .kv_heads = 3, .head_dim = 40, .scale = 0.3, .interleaved = true}, mixed_rows,
                          mixed);
  check_against_reference({.heads = 7, .kv_heads = 1, .head_dim = 16, .scale = 0.3}, mixed_rows, mixed);
  check_against_reference({.head_dim = 8}, 70, {0, 0, 0, 0, 0});
  fields many;  // more segments than a warp has lanes
  for (std::int32_t at = 1; at + 2 <= 100; at += 2) many.insert(many.end(), {at, at + 1 + at % 3 / 2, at, 0, 0});
  check_against_reference({.heads = 2, .head_dim = 8}, 100, many);
}

TEST_CASE("attention on CUDA: the keys of a long cache in parts") {
  cuda device({.host_threads = 1});
  reference oracle;
  // Four sequences, one of which has fewer keys than there are parts of 128.
  const ops::attention_attributes a{.heads = 6, .kv_heads = 2, .head_dim = 64, .scale = 0.125};
  attention_shape s = a.shape();
  const index_t capacity = 1200;
  const tensor<float> q = testing::random<float>(shape{5, 6 * 64}, 1, -2, 2),
                      k = testing::random<float>(shape{5, 128}, 2),
                      cached = testing::random<float>(shape{capacity, 128}, 3, -2, 2);
  const fields of{0, 1, 700, 0, 700, 1, 2, 710, 701, 710, 3, 5, 1190, 800, 1190, 0, 0, 0, 0, 0};
  for (int window : {0, 50}) {
    CAPTURE(window);
    s.window = window;
    const auto run = [&]<class B>(B& on) {
      const array<B, float> queries(on, q), rows(on, k);
      array<B, float> keys(on, cached), values(on, cached), out(on, testing::random<float>(q.extents(), 5)),
          lse(on, testing::random<float>(shape{5, 6}, 5));
      const array<B, std::int32_t> segments(on, matrix_of(of));
      using in = view_of<B, const float>;
      cache_keys(on, s, rows.matrix(), segments.matrix(), keys.matrix());
      attention_forward(on, s, queries.matrix(), in(keys.matrix()), in(values.matrix()), segments.matrix(),
                        out.matrix(), lse.matrix());
      return std::array<tensor<float>, 3>{keys.read(), out.read(), lse.read()};
    };
    CHECK(backend::detail::attention_parts(s, 5, capacity, 4) > 4);
    const auto ours = run(device), theirs = run(oracle);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      CAPTURE(i);
      CHECK(testing::violation(ours[i].data(), theirs[i].data(), ours[i].size(), {.mtol = 1e-5}) == "");
    }
  }
}
