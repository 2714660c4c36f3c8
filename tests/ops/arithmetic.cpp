// Formulas of values: as they are written in research code, eager and as a plan, against central differences.
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "doctest/doctest.h"
#include "mor1e/autodiff/plan.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/ops/all.hpp"

using namespace mor1e;

namespace {

using number = value<cpu, double>;

/// The operands of a formula: x and y [4, 3], a row [1, 3], a column [4, 1], w [3, 2], all in [0.5, 1.5].
struct operands_of {
  number x, y, row, column, w;
};
constexpr std::array<std::pair<index_t, index_t>, 5> sizes{{{4, 3}, {4, 3}, {1, 3}, {4, 1}, {3, 2}}};
using tensors = std::vector<tensor<double>>;

tensors drawn() {
  tensors out;
  for (auto [rows, cols] : sizes) {
    out.emplace_back(shape{rows, cols});
    for (index_t i = 0; i < out.back().size(); ++i) out.back()[i] = 0.5 + uniform<double>(stream_key(1, out.size()), i);
  }
  return out;
}

struct result {
  double loss = 0;
  tensors gradients = {};
};

template <class F>
result eager(const F& formula, const tensors& in) {
  cpu device(1);
  tape t(device);
  const auto put = [&](int k) { return input(t, in[std::size_t(k)], true); };
  const operands_of o{put(0), put(1), put(2), put(3), put(4)};
  const number loss = formula(o);
  t.keep(loss.var());
  backward(loss);
  result out{loss.read_scalar()};
  for (const number& v : {o.x, o.y, o.row, o.column, o.w}) out.gradients.push_back(v.gradient());
  return out;
}

template <class F>
result planned(const F& formula, const tensors& in) {
  cpu device(1);
  tape t(device, recording::plan);
  std::vector<var<double>> vars;
  for (auto [rows, cols] : sizes) vars.push_back(t.template input<double>(rows, cols, true));
  const auto put = [&](int k) { return on(t, vars[std::size_t(k)]); };
  const var<double> loss = formula(operands_of{put(0), put(1), put(2), put(3), put(4)});
  plan program(std::move(t), loss, true);
  for (std::size_t k = 0; k < vars.size(); ++k) program.fill(vars[k], in[k]);
  program.run();
  result out{program.read_scalar(loss)};
  for (const auto& v : vars) out.gradients.push_back(program.gradient(v));
  return out;
}

/// Eager and planned give the same bits, and gradients that agree with central differences. Returns the loss.
template <class F>
double checked(const F& formula) {
  tensors in = drawn();
  const result now = eager(formula, in), later = planned(formula, in);
  CHECK(now.loss == later.loss);
  double reached = 0;
  for (std::size_t k = 0; k < in.size(); ++k)
    for (index_t i = 0; i < in[k].size(); ++i) {
      CHECK(now.gradients[k][i] == later.gradients[k][i]);
      const double at = in[k][i], h = 1e-5;
      in[k][i] = at + h;
      const double above = eager(formula, in).loss;
      in[k][i] = at - h;
      const double below = eager(formula, in).loss;
      in[k][i] = at;
      CHECK(now.gradients[k][i] == doctest::Approx((above - below) / (2 * h)).epsilon(1e-7).scale(1));
      reached += std::abs(now.gradients[k][i]);
    }
  CHECK(reached > 0);
  return now.loss;
}

double first(const number& v) { return v.read()[0]; }

}  // namespace

TEST_CASE("formulas: a regression") {
  checked([](const operands_of& o) { return mean(square(matmul(o.x, o.w) - o.column)); });
  checked([](const operands_of& o) { return mse_loss(matmul(o.x, o.w), matmul(o.y, o.w)); });
}

TEST_CASE("formulas: + - * / between values repeat rows and columns") {
  checked([](const operands_of& o) { return sum(o.x + o.y * o.row - o.column / o.x); });
  checked([](const operands_of& o) { return sum(o.row * o.column / (o.x + o.row)); });
  checked([](const operands_of& o) { return sum(square(o.row - o.column)); });
}

TEST_CASE("formulas: numbers on either side") {
  checked([](const operands_of& o) { return sum((2 + o.x) * (o.x + 3.5) - (1 - o.y) * (o.y - 1)); });
  checked([](const operands_of& o) { return sum(2 * o.x / (1 / o.y + 0.5) - o.x * o.y / 4); });
  cpu device(1);
  tape t(device);
  tensor<double> three(shape{1, 1}, 3.0);
  const number x = input(t, three);
  CHECK(first(x + 2) == 5);
  CHECK(first(2 + x) == 5);
  CHECK(first(x - 2) == 1);
  CHECK(first(2 - x) == -1);
  CHECK(first(x * 2) == 6);
  CHECK(first(2 * x) == 6);
  CHECK(first(x / 2) == 1.5);
  CHECK(first(2 / x) == doctest::Approx(2.0 / 3));
  CHECK(first(-x) == -3);
  CHECK(first(maximum(x, 4)) == 4);
  CHECK(first(minimum(2, x)) == 2);
  CHECK(first(power(x, 2)) == doctest::Approx(9));
  CHECK(first(x > 2) == 1);
  CHECK(first(3 > x) == 0);
  CHECK(first(x >= 3) == 1);
  CHECK(first(x < 3) == 0);
  CHECK(first(x <= 3) == 1);
  CHECK(first(equal(x, 3)) == 1);
  CHECK(first(where(x > 2, x, 0)) == 3);
  CHECK(first(where(x > 5, 1, -1)) == -1);
}

TEST_CASE("formulas: functions of one element") {
  checked([](const operands_of& o) { return sum(exp(-o.x) + log(o.y) * sqrt(o.x) + tanh(o.x) / reciprocal(o.y)); });
  checked([](const operands_of& o) { return sum(sigmoid(o.x) * silu(o.y) + gelu(o.x) - gelu_tanh(o.y) + relu(o.x)); });
  checked([](const operands_of& o) { return sum(softplus(o.x, 2) + leaky_relu(-o.y, 0.1) + abs(o.x) + pow(o.y, 3)); });
  checked([](const operands_of& o) { return sum(sin(o.x) * cos(o.y)); });
  checked([](const operands_of& o) { return sum(clamp(o.x, 0, 10) * affine(o.y, 2, -1) * scale(o.x, 3)); });
}

TEST_CASE("formulas: reductions and normalisations") {
  checked([](const operands_of& o) {
    const number centred = o.x - mean(o.x, ops::over::columns);
    const number variance = mean(square(centred), ops::over::columns);
    return sum(centred / sqrt(variance + 1e-5) * o.row);
  });
  checked([](const operands_of& o) { return sum(softmax(o.x) * log_softmax(o.y)) + sum(log_sum_exp(o.x)); });
  checked(
      [](const operands_of& o) { return sum(max(o.x, ops::over::rows) * min(o.y, ops::over::columns)) + max(o.y); });
  checked([](const operands_of& o) { return sum(layer_norm(o.x, o.row, o.row) * rms_norm(o.y, o.row) * o.y); });
  checked([](const operands_of& o) { return sum(normalise_rows(o.x) * o.y); });
}

TEST_CASE("formulas: shapes") {
  checked([](const operands_of& o) { return sum(transpose(o.w) * rows(o.x, 1, 2) * o.row); });
  checked([](const operands_of& o) { return sum(square(reshape(o.x, 2, 6)) * reshape(o.y, 2, 6)); });
  checked([](const operands_of& o) { return sum(concat_rows(o.x, o.row, o.y) * concat_rows(o.y, o.row, o.y)); });
  checked([](const operands_of& o) { return sum(square(concat_columns(o.column, columns(o.x, 1, 2)) * o.y)); });
  checked([](const operands_of& o) {
    return sum(square(batched_matmul(o.x, o.y, 2, backend::transpose::no, backend::transpose::yes)));
  });
  checked([](const operands_of& o) { return sum(square(linear(o.x, transpose(o.w)))); });
}

TEST_CASE("formulas: choices") {
  checked([](const operands_of& o) { return sum(where(o.x > 1, o.x * o.y, -o.y) + where(o.row < 1, o.column, 2)); });
  checked([](const operands_of& o) { return sum(maximum(o.x, o.y) * minimum(o.x, o.row) + power(o.x, o.column)); });
}

TEST_CASE("formulas: losses") {
  checked([](const operands_of& o) { return binary_cross_entropy_with_logits(o.x - 1, sigmoid(o.y)); });
  checked([](const operands_of& o) { return l1_loss(o.x, o.y) + mse_loss(o.x, 2 * o.y); });
}

TEST_CASE("cross_entropy without a scale is the mean over the rows that have a target") {
  cpu device(1);
  tape t(device);
  const tensor<double> x = std::move(drawn()[0]);
  tensor<std::int32_t> classes(shape{4, 1});
  for (index_t i = 0; i < 4; ++i) classes[i] = std::array{2, -1, 0, 1}[std::size_t(i)];
  const number logits = input(t, x);
  const double loss = cross_entropy(logits, input(t, classes)).read_scalar();
  const tensor<double> likelihoods = log_softmax(logits).read();
  CHECK(loss == doctest::Approx(-(likelihoods[2] + likelihoods[6] + likelihoods[10]) / 3));
}

TEST_CASE("embedding and gather_rows of values") {
  cpu device(1);
  tape t(device);
  const tensor<double> x = std::move(drawn()[0]);
  tensor<std::int32_t> index(shape{2, 1});
  index[0] = 3, index[1] = 1;
  const number table = input(t, x);
  const auto at = input(t, index);
  CHECK(first(gather_rows(table, at)) == x[9]);
  CHECK(first(embedding(table, at, 2)) == 2 * x[9]);
}

TEST_CASE("where: what is not chosen does not count, and gives no gradient") {
  cpu device(1);
  tape t(device);
  tensor<double> zeros(shape{1, 2});
  zeros[0] = 0, zeros[1] = 2;
  const number x = input(t, zeros, true);
  const number y = where(x > 0, log(maximum(x, 1e-30)), 0), loss = sum(y);
  t.keep(y.var());
  backward(loss);
  CHECK(y.read()[0] == 0);
  CHECK(y.read()[1] == doctest::Approx(std::log(2.0)));
  CHECK(x.gradient()[0] == 0);
  CHECK(x.gradient()[1] == doctest::Approx(0.5));
}

TEST_CASE("max and min: the first of equal elements gets the gradient, and NaN wins") {
  const auto gradient = [](std::vector<double> of, index_t rows, index_t cols, ops::over what, bool smallest) {
    cpu device(2);
    tape t(device);
    const number x = on(t, t.input<double>(view<const double>(of.data(), rows, cols), true));
    backward(sum(smallest ? min(x, what) : max(x, what)));
    const tensor<double> g = x.gradient();
    return std::vector<double>(g.begin(), g.end());
  };
  using ops::over;
  const double nan = std::nan("");
  CHECK(gradient({1, 3, 3, 3, 0, 3}, 2, 3, over::all, false) == std::vector<double>{0, 1, 0, 0, 0, 0});
  CHECK(gradient({1, 3, 3, 3, 0, 3}, 2, 3, over::columns, false) == std::vector<double>{0, 1, 0, 1, 0, 0});
  CHECK(gradient({1, 3, 3, 1, 0, 3}, 2, 3, over::rows, false) == std::vector<double>{1, 1, 1, 0, 0, 0});
  CHECK(gradient({1, 3, 3, 1, 0, 3}, 2, 3, over::rows, true) == std::vector<double>{1, 0, 1, 0, 1, 0});
  CHECK(gradient({1, nan, 3, 1, nan, 3}, 2, 3, over::all, false) == std::vector<double>{0, 1, 0, 0, 0, 0});
  CHECK(gradient({1, nan, 3, 1, nan, 3}, 2, 3, over::rows, true) == std::vector<double>{1, 1, 1, 0, 0, 0});
  cpu device(1);
  tape t(device);
  const std::vector<double> of{1, nan, 3};
  CHECK(std::isnan(first(max(on(t, t.input<double>(view<const double>(of.data(), 1, 3)))))));
}

TEST_CASE("values of two tapes are refused") {
  cpu device(1);
  tape s(device), t(device);
  const tensor<double> x = std::move(drawn()[0]);
  const number a = input(s, x), b = input(t, x);
  const char* message = "two values of different tapes in one op";
  CHECK_THROWS_WITH_AS(a + b, message, value_error);
  CHECK_THROWS_WITH_AS(a * b, message, value_error);
  CHECK_THROWS_WITH_AS(maximum(a, b), message, value_error);
  CHECK_THROWS_WITH_AS(where(a > 1, a, b), message, value_error);
  CHECK_THROWS_WITH_AS(matmul(a, b), message, value_error);
  CHECK_THROWS_WITH_AS(mse_loss(a, b), message, value_error);
  CHECK_THROWS_AS(concat_rows(a, b), value_error);
  CHECK_THROWS_AS(layer_norm(a, b, b), value_error);
}
