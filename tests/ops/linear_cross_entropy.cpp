#include "mor1e/ops/linear_cross_entropy.hpp"

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/ops/frozen_linear.hpp"
#include "mor1e/ops/linear.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

struct result {
  tensor<double> loss, nll, dx;
};

/// Loss, nll and gradient of x by `head(tape, x, w, targets, scale)`; the incoming gradient of the loss is 3.
template <class Head>
result run(Head head) {
  cpu device(2);
  const index_t answers = 300, hidden = 9, classes = 37;
  const tensor<double> x = testing::random({answers, hidden}, 1), scale(shape{1, 1}, 0.25), three(shape{1, 1}, 3.0);
  const cpu::frozen<double> w(device, testing::random({classes, hidden}, 2));
  tensor<std::int32_t> targets(shape{answers, 1});
  for (index_t i = 0; i < answers; ++i) targets[i] = i % 7 == 0 ? -1 : std::int32_t(i * 11 % classes);
  tape<cpu> t(device);
  const auto in = t.input<double>(x.matrix(), true);
  const auto out =
      head(t, in, t.frozen(w), t.input<std::int32_t>(std::as_const(targets).matrix()), t.input<double>(scale.matrix()));
  t.keep(out.nll);
  t.backward(out.loss, three.matrix());
  return {t.read(out.loss), t.read(out.nll), t.gradient(in)};
}

}  // namespace

TEST_CASE("linear_cross_entropy is linear, then cross_entropy") {
  const result fused = run([](auto& t, auto x, auto w, auto targets, auto scale) {
    return ops::linear_cross_entropy(t, x, w, targets, scale);
  });
  const result composed = run([](auto& t, auto x, auto w, auto targets, auto scale) {
    return ops::cross_entropy(t, ops::frozen_linear(t, x, std::span<const frozen_var>(&w, 1)), targets, scale);
  });
  const testing::closeness rule{.mtol = 1e-13};
  CHECK(testing::violation(fused.loss.data(), composed.loss.data(), 1, rule) == "");
  CHECK(testing::violation(fused.nll.data(), composed.nll.data(), composed.nll.size(), rule) == "");
  CHECK(testing::violation(fused.dx.data(), composed.dx.data(), composed.dx.size(), rule) == "");
  CHECK(composed.nll[0] == 0);
  CHECK(composed.nll[1] > 0);
}

TEST_CASE("a gradient that comes in through nll is refused, not dropped") {
  CHECK_THROWS_WITH_AS(run([](auto& t, auto x, auto w, auto targets, auto scale) {
                         auto out = ops::linear_cross_entropy(t, x, w, targets, scale);
                         const auto column = ops::linear(t, scale, out.nll);
                         out.loss = ops::linear(t, column, column);
                         return out;
                       }),
                       "linear_cross_entropy: nll has no gradient, use the loss", error);
}

TEST_CASE("a target past the last class is refused") {
  reference device;
  const tensor<double> x(shape{1, 2}, 1.0), one(shape{1, 1}, 1.0);
  const reference::frozen<double> w(device, tensor<double>(shape{3, 2}, 1.0));
  const tensor<std::int32_t> target(shape{1, 1}, 3);
  tape t(device);
  CHECK_THROWS_WITH_AS(ops::linear_cross_entropy(t, t.input<double>(x.matrix()), t.frozen(w),
                                                 t.input<std::int32_t>(target.matrix()), t.input<double>(one.matrix())),
                       "linear_cross_entropy: index 3 at 0 is outside [0, 3)", value_error);
}
