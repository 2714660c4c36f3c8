#include "mor1e/autodiff/tape.hpp"

#include <optional>
#include <utility>

#include <doctest/doctest.h>

#include "mor1e/autodiff/plan.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/ops/add.hpp"
#include "mor1e/ops/cross_entropy.hpp"
#include "mor1e/ops/linear.hpp"
#include "mor1e/ops/multiply.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/ops/softmax.hpp"
#include "mor1e/ops/square.hpp"
#include "mor1e/ops/sum.hpp"
#include "mor1e/testing/counting.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

/// d sum(f(x)) / dx for x [3, 4]
template <class F>
tensor<double> gradient_of(const tensor<double>& values, F f) {
  reference device;
  tape<reference> t(device);
  const auto x = t.input<double>(values.matrix(), true);
  t.backward(ops::sum(t, f(t, x)));
  return t.gradient(x);
}

void check_equal(const tensor<double>& ours, const tensor<double>& x, double (*expected)(double)) {
  for (index_t i = 0; i < x.size(); ++i) CHECK(ours[i] == doctest::Approx(expected(x[i])).epsilon(1e-14));
}

/// Fails when it runs, with everything it needs in place.
struct failing_op {
  static constexpr const char* label = "failing";
  using attributes = no_attributes;
  static signature shape(const attributes&, operands in) {
    return {.outputs = {{in[0].rows, in[0].cols}}, .saved = {{in[0].rows, 1}}, .forward_scratch = {{7, 7}}};
  }
  template <class B, class T>
  static void forward(call<B, T>, const attributes&) {
    throw value_error("failing: as asked");
  }
  template <class B, class T>
  static void backward(call<B, T>, const attributes&) {}
  static cost work(const attributes&, operands, bool) { return {}; }
};

}  // namespace

TEST_CASE("a value with several consumers gets the sum of their gradients") {
  const auto x = testing::random({3, 4}, 1);
  SUBCASE("two ops") {
    check_equal(gradient_of(x, [](auto& t, auto x) { return ops::add(t, ops::scale(t, x, 3), ops::scale(t, x, -1)); }),
                x, [](double) { return 2.0; });
  }
  SUBCASE("one op twice: product") {
    check_equal(gradient_of(x, [](auto& t, auto x) { return ops::multiply(t, x, x); }), x,
                [](double v) { return 2 * v; });
  }
  SUBCASE("one op twice: sum") {
    check_equal(gradient_of(x, [](auto& t, auto x) { return ops::add(t, x, x); }), x, [](double) { return 2.0; });
  }
  SUBCASE("two ops, and one of them twice") {
    check_equal(gradient_of(x, [](auto& t, auto x) { return ops::add(t, ops::multiply(t, x, x), x); }), x,
                [](double v) { return 2 * v + 1; });
    check_equal(gradient_of(x, [](auto& t, auto x) { return ops::add(t, x, ops::multiply(t, x, x)); }), x,
                [](double v) { return 2 * v + 1; });
  }
  SUBCASE("a value made on the tape") {
    check_equal(gradient_of(x,
                            [](auto& t, auto x) {
                              const auto y = ops::scale(t, x, 2);
                              return ops::add(t, ops::multiply(t, y, y), ops::add(t, y, y));
                            }),
                x, [](double v) { return 8 * v + 4; });
  }
  SUBCASE("a fourth power") {
    check_equal(gradient_of(x,
                            [](auto& t, auto x) {
                              const auto y = ops::multiply(t, x, x);
                              return ops::multiply(t, y, y);
                            }),
                x, [](double v) { return 4 * v * v * v; });
  }
}

TEST_CASE("gradients of a parameter accumulate, over uses and over sweeps") {
  reference device;
  param<reference, double> w(device, "w", shape{2, 3});
  const auto values = testing::random({2, 3}, 2);
  w.write(values);
  for (int sweep = 1; sweep <= 2; ++sweep) {
    tape t(device);
    const auto first = t.use(w), second = t.use(w);
    t.backward(ops::sum(t, ops::add(t, ops::multiply(t, first, second), first)));
    const tensor<double> gradient = w.read_gradient();
    for (index_t i = 0; i < w.size(); ++i) CHECK(gradient[i] == doctest::Approx(sweep * (2 * values[i] + 1)));
  }
  w.clear_gradient();
  CHECK(w.read_gradient()[0] == 0);
}

TEST_CASE("what the loss does not depend on has no gradient") {
  reference device;
  tape t(device);
  const auto values = testing::random({2, 3}, 3);
  const auto x = t.input<double>(values.matrix(), true), unused = t.input<double>(values.matrix(), true);
  ops::softmax(t, unused);
  t.backward(ops::sum(t, x));
  CHECK(t.gradient(x)[5] == 1);
  CHECK(t.gradient(unused)[5] == 0);
}

TEST_CASE("a throw in mid-forward leaks nothing") {
  testing::counting<reference> device;
  for (const recording how : {recording::gradients, recording::forward}) {
    {
      tape<testing::counting<reference>> t(device, how);
      const auto values = testing::random({3, 4}, 4);
      const auto x = t.input<double>(values.matrix(), true);
      const auto y = ops::softmax(t, x);
      CHECK_THROWS_AS((t.apply<failing_op, double>({}, {y})), value_error);
      CHECK_THROWS_AS(t.stretch(true, [&] { return t.apply<failing_op, double>({}, {ops::softmax(t, y)}); }),
                      value_error);
      CHECK_THROWS_AS(ops::add(t, y, t.input<double>(2, 4)), shape_error);
      CHECK(device.live > 0);
      // The tape is as good as before.
      const auto loss = ops::sum(t, ops::multiply(t, y, y));
      if (how == recording::gradients) t.backward(loss);
      CHECK(t.read(loss)[0] > 0);
    }
    device.trim();
    CHECK(device.allocations > 0);
    CHECK(device.live == 0);
  }
}

TEST_CASE("misuse is refused by name") {
  reference device;
  tape t(device);
  const auto values = testing::random({2, 3}, 5);
  const auto x = t.input<double>(values.matrix(), true);
  const auto y = ops::sum(t, ops::softmax(t, x));
  CHECK_THROWS_WITH_AS(
      t.backward(x), "backward: a root [2, 3] needs a cotangent; a loss is a single number, as sum() or mean() make it",
      shape_error);
  CHECK_THROWS_WITH_AS(ops::add(t, x, var<double>{}), doctest::Contains("add: "), error);
  t.backward(y);
  CHECK_THROWS_WITH_AS(t.backward(y), "backward: the tape was swept already", error);
  tape plans(device, recording::plan);
  CHECK_THROWS_WITH_AS(plans.input<double>(values.matrix()), doctest::Contains("fill: "), error);
}

TEST_CASE("a value of another tape, of one that is gone, of another type or without a gradient is refused in words") {
  reference device;
  tape<reference> t(device), other(device);
  const tensor<double> values = testing::random({2, 3}, 3);
  const auto x = t.input(values, true), plain = t.input(values), foreign = other.input(values);
  var<double> dead;
  {
    tape<reference> gone(device);
    dead = gone.input(values);
  }
  CHECK_THROWS_WITH_AS(ops::add(t, x, foreign), "add: a value of another tape, or of one that is gone", value_error);
  CHECK_THROWS_WITH_AS(ops::add(t, dead, x), "add: a value of another tape, or of one that is gone", value_error);
  CHECK_THROWS_WITH_AS(ops::add(t, x, {}), "add: an empty value", value_error);
  CHECK_THROWS_WITH_AS(t.read(dead), "read: a value of another tape, or of one that is gone", value_error);
  CHECK_THROWS_WITH_AS(t.fill(foreign, values), "fill: a value of another tape, or of one that is gone", value_error);
  CHECK_THROWS_WITH_AS(t.gradient(plain), "gradient: the value is not watched", value_error);
  CHECK_THROWS_WITH_AS(t.backward(foreign), doctest::Contains("a value of another tape"), error);
  CHECK_THROWS_WITH_AS(t.read(var<float>{x.id, x.rows, x.cols, x.graph}), "read: a value of F64 as one of F32",
                       value_error);
  // What one op reads as reals another reads as indices.
  const auto scale = t.input(tensor<double>({1, 1}, 1.0));
  CHECK_THROWS_WITH_AS((t.apply<ops::cross_entropy_op, double>({}, {x, t.input(tensor<double>({2, 1}, 0.0)), scale})),
                       doctest::Contains("cross_entropy: operand 1 is F64 [2, 1] where I32 is needed"), value_error);
  // The tape is as good as before.
  t.backward(ops::sum(t, x));
  CHECK(t.gradient(x)[5] == 1);
}

TEST_CASE("a value finds out that its tape is gone, and follows one that moves") {
  reference device;
  const tensor<double> values = testing::random({2, 3}, 3);
  std::optional<value<reference, double>> kept;
  {
    tape<reference> first(device);
    kept = input(first, values, true);
    tape<reference> second(std::move(first));
    backward(sum(square(*kept)));
    CHECK(kept->gradient()[0] == doctest::Approx(2 * values[0]));
  }
  CHECK_THROWS_WITH_AS(kept->read(), "a value of a tape that is gone", value_error);
  CHECK_THROWS_WITH_AS(square(*kept), "a value of a tape that is gone", value_error);
}

TEST_CASE("a plan refuses values that it did not keep") {
  reference device;
  tape<reference> t(device, recording::plan);
  const auto x = t.input<double>(2, 3, true);
  const auto inner = ops::multiply(t, x, x), loss = ops::sum(t, inner);
  plan<reference> p(std::move(t), loss, true);
  p.fill(x, testing::random({2, 3}, 3));
  p.run();
  CHECK(p.gradient(x)[1] == doctest::Approx(2 * testing::random({2, 3}, 3)[1]));
  CHECK_THROWS_WITH_AS(p.read(inner), doctest::Contains("keep() it before the plan is made"), error);
  tape<reference> other(device);
  CHECK_THROWS_AS(p.read(other.input(testing::random({2, 3}, 3))), value_error);
}
