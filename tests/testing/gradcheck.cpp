// The gradient check must be able to fail.
#include "mor1e/testing/gradcheck.hpp"

#include <doctest/doctest.h>

#include "mor1e/backend/reference.hpp"
#include "mor1e/ops/softmax.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

/// Softmax with a gradient twice as large as it is.
struct broken_softmax_op : ops::softmax_op {
  template <class B, class T>
  static void backward(call<B, T> c, const attributes& a) {
    ops::softmax_op::backward(c, a);
    axpby(c.device(), T(1), view<const T>(c.grad_in(0).to), T(1), c.grad_in(0).to);
  }
};

const std::vector<case_input> rows = {{4, 5}};

/// The largest element of the gradient under an all-ones cotangent.
template <class Op>
double gradient_under_ones() {
  reference device;
  tape<reference> t(device);
  const auto values = testing::random({4, 5}, 7);
  const auto x = t.input<double>(values.matrix(), true);
  const tensor<double> ones(shape{4, 5}, 1.0);
  t.backward(t.apply<Op, double>({}, {x}), ones.matrix());
  double largest = 0;
  for (double g : t.gradient(x)) largest = std::max(largest, std::abs(g));
  return largest;
}

}  // namespace

TEST_CASE("a doubled softmax backward is found") {
  reference device;
  CHECK(testing::gradient_deviation(device, op_case<ops::softmax_op>{.name = "right", .inputs = rows}).relative < 1e-8);
  const auto worst = testing::gradient_deviation(device, op_case<broken_softmax_op>{.name = "broken", .inputs = rows});
  INFO(worst.str());
  CHECK(worst.relative > 1e-2);
  CHECK(worst.input == 0);
}

TEST_CASE("an all-ones cotangent would have missed it") {
  CHECK(gradient_under_ones<ops::softmax_op>() < 1e-15);
  CHECK(gradient_under_ones<broken_softmax_op>() < 1e-15);
}

TEST_CASE("a NaN is the worst deviation") {
  testing::deviation worst;
  tensor<double> ours(shape{1, 3}, 1.0), reference(shape{1, 3}, 1.0);
  ours[1] = NAN;
  testing::detail::compare(ours, reference, 0, worst);
  CHECK(std::isinf(worst.relative));
  CHECK(worst.at == 1);
}
