// MoR1E and mix-and-match with their k largest weights alone.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/reference.hpp"
#include "mor1e/peft/methods/mix_and_match.hpp"
#include "mor1e/peft/methods/mor1e.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

constexpr index_t rows = 5;
constexpr int experts = 6, linears = 2;

/// What a method makes of products that are one, [rows, linears * slots]: its weights.
template <class M>
tensor<double> weights(const M& method, index_t products) {
  reference device;
  tape<reference> t(device, recording::forward);
  peft::adapter_context<reference, double> step;
  const std::vector<std::int32_t> of{0, 1, -1, 1, 0};
  step.batch.instances = t.input<std::int32_t>(view<const std::int32_t>(of.data(), rows, 1));
  const tensor<double> intuition = testing::random(shape{2, 6}, 3);
  step.batch.intuition = t.input<double>(intuition.matrix());
  tensor<double> x = testing::random(shape{rows, linears * (products + method.router_rows())}, 4, -2, 2);
  for (index_t i = 0; i < rows; ++i) std::fill_n(x.data() + i * x.extents()[1], linears * products, 1.0);
  const tensor<double> a = testing::random(shape{1, linears}, 5, -0.01, 0.01);
  const var<double> gates[] = {t.input<double>(a.matrix()), t.input<double>(a.matrix())};
  var<double> projected = t.input<double>(std::as_const(x).matrix());
  projected = method.prepare(t, projected, linears, std::span<const var<double>>(gates), step);
  return t.read(method.gates(t, projected, linears, std::span<const var<double>>(gates), step));
}

}  // namespace

TEST_CASE("the k largest weights as they are, and no others") {
  for (const bool before : {false, true}) {
    const tensor<double> dense = weights(peft::mor1e{.experts = experts, .before = before}, experts);
    for (const int k : {1, 3, experts}) {
      CAPTURE(k);
      const tensor<double> sparse = weights(peft::mor1e{.experts = experts, .before = before, .k = k}, experts);
      for (index_t row = 0; row < rows; ++row)
        for (int part = 0; part < linears; ++part) {
          const double* all = dense.data() + (row * linears + part) * experts;
          std::vector<double> expected(all, all + experts), sorted = expected;
          std::sort(sorted.rbegin(), sorted.rend());
          for (double& w : expected)
            if (row == 2 || w < sorted[std::size_t(k - 1)]) w = 0;  // a dead row has no expert
          CHECK(testing::violation(sparse.data() + (row * linears + part) * experts, expected.data(), experts,
                                   {.atol = 1e-12}) == "");
        }
    }
  }
}

TEST_CASE("of equal weights the first; of pairs, one of k = 1") {
  const peft::mor1e uniform{.experts = experts, .learned_gates = false, .intuition = false, .k = 2};
  const peft::mix_and_match best{.r1 = 2, .r2 = 3, .k = 1};
  const tensor<double> one = weights(best, 2);
  for (const index_t row : {0, 1, 3, 4})
    for (int part = 0; part < linears; ++part) {
      const double* w = one.data() + (row * linears + part) * 3;
      CHECK(std::count(w, w + 3, 0.0) == 2);  // one pair reaches one output vector
    }
  reference device;
  tape<reference> t(device, recording::forward);
  peft::adapter_context<reference, double> step;
  const std::vector<std::int32_t> of{0};
  step.batch.instances = t.input<std::int32_t>(view<const std::int32_t>(of.data(), 1, 1));
  std::vector<double> x(2 * experts, 0);  // equal logits
  std::fill_n(x.begin(), experts, 1);
  const tensor<double> w = t.read(uniform.gates(t, t.input<double>(view<const double>(x.data(), 1, 2 * experts)), 1,
                                                std::span<const var<double>>(), step));
  for (int i = 0; i < experts; ++i) CHECK(w[i] == doctest::Approx(i < 2 ? 1 : 0));
}
