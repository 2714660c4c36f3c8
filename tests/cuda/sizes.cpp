// Kernels whose form depends on the size of a row or on how rows lie, at sizes that the cases of their ops do not have.
#include <cmath>
#include <utility>
#include <vector>

#include "cuda/parity.hpp"
#include "mor1e/ops/capacity_mask.hpp"
#include "mor1e/ops/cross_entropy.hpp"
#include "mor1e/ops/excess.hpp"
#include "mor1e/ops/group_mean.hpp"
#include "mor1e/ops/normalise_sum.hpp"
#include "mor1e/ops/rank1_gates.hpp"
#include "mor1e/ops/router_statistics.hpp"
#include "mor1e/ops/scale_columns.hpp"
#include "mor1e/ops/top_k_mask.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

template <class Op>
void check_case(const typename Op::attributes& attributes, std::vector<case_input> inputs) {
  cuda device({.host_threads = 1});
  reference oracle;
  const op_case<Op> c{.name = "", .attributes = attributes, .inputs = std::move(inputs)};
  const auto worst = testing::parity_deviation<Op, float>(device, oracle, c);
  INFO(worst.str());
  CHECK(worst.relative <= 1e-5);
}

case_input ids(index_t rows, std::int32_t (*of)(index_t)) {
  case_input in{.rows = rows, .cols = 1, .gradient = false};
  for (index_t i = 0; i < rows; ++i) in.integers.push_back(of(i));
  return in;
}
/// Instances one after the other, with dead rows between them.
case_input packed(index_t rows) {
  return ids(rows, [](index_t i) { return i % 9 == 4 ? -1 : std::int32_t(i / 40); });
}
/// Rows of all instances between each other.
case_input mingled(index_t rows) {
  return ids(rows, [](index_t i) { return i % 11 == 3 ? -1 : std::int32_t(i * i % 5); });
}

}  // namespace

TEST_CASE("rank-1 gates on CUDA: values held by a lane, and more experts than registers hold") {
  for (int experts : {40, 100, 200, 300}) {
    CAPTURE(experts);
    const index_t n = experts;
    check_case<ops::rank1_gates_op>(
        {.parts = 3, .experts = experts, .c_token = 4, .c_intuition = 4, .learned_gates = true},
        {{35, 6 * n}, {5, n}, mingled(35), {1, 3, -0.01, 0.01}, {1, 3, -0.01, 0.01}});
  }
}

TEST_CASE("rank-1 gates on CUDA: sums of gates over more rows than warps") {
  check_case<ops::rank1_gates_op>(
      {.parts = 3, .experts = 6, .c_token = 4, .c_intuition = 4, .learned_gates = true, .own_intuition = true},
      {{333, 36}, {9, 18}, packed(333), {1, 3, -0.01, 0.01}, {1, 3, -0.01, 0.01}});
}

TEST_CASE("cross entropy on CUDA: a row of a warp, of a block, and one that no pack fits") {
  for (index_t cols : {3, 513, 1500, 1503}) {
    CAPTURE(cols);
    check_case<ops::cross_entropy_op>(
        {}, {{19, cols, -8, 8}, ids(19, [](index_t i) { return i % 4 == 1 ? -1 : std::int32_t(i % 3); })});
  }
}

TEST_CASE("cross entropy on CUDA: loss and gradient in place of the logits") {
  cuda device({.host_threads = 1});
  reference oracle;
  for (index_t cols : {5, 1500, 1503}) {
    CAPTURE(cols);
    const tensor<float> logits = testing::random<float>(shape{11, cols}, 1, -8, 8);
    tensor<std::int32_t> right(shape{11, 1});
    for (index_t i = 0; i < 11; ++i) right[i] = i % 4 == 1 ? -1 : std::int32_t((i * 997) % cols);
    const auto run = [&]<class B>(B& on) {
      array<B, float> x(on, logits), nll(on, shape{11, 1});
      const array<B, std::int32_t> targets(on, right);
      cross_entropy_in_place(on, targets.matrix(), x.matrix(), nll.matrix());
      return std::pair(x.read(), nll.read());
    };
    const auto [gradient, loss] = run(device);
    const auto [its_gradient, its_loss] = run(oracle);
    CHECK(testing::violation(gradient.data(), its_gradient.data(), gradient.size(), {.mtol = 1e-5}) == "");
    CHECK(testing::violation(loss.data(), its_loss.data(), loss.size(), {.mtol = 1e-5}) == "");
  }
}

TEST_CASE("cross entropy on CUDA: a target that is no column is not read, and its loss is NaN") {
  cuda device({.host_threads = 1});
  const array<cuda, float> x(device, tensor<float>(shape{1, 4}, 0.0f));
  const array<cuda, std::int32_t> targets(device, tensor<std::int32_t>(shape{1, 1}, 1 << 30));
  array<cuda, float> nll(device, shape{1, 1}), lse(device, shape{1, 1});
  cross_entropy_forward(device, x.matrix(), targets.matrix(), nll.matrix(), lse.matrix());
  CHECK(std::isnan(nll.read()[0]));
  CHECK(lse.read()[0] == doctest::Approx(std::log(4.0)));
}

TEST_CASE("choices of experts on CUDA: many columns, equal values, groups that lie between each other") {
  for (index_t experts : {3, 33, 100, 300})
    for (int k : {1, 3}) {
      CAPTURE(experts);
      CAPTURE(k);
      check_case<ops::top_k_mask_op>({k}, {{40, experts}, mingled(40)});
      // Whole numbers: many are equal.
      case_input ties{.rows = 20, .cols = experts};
      for (index_t i = 0; i < 20 * experts; ++i) ties.integers.push_back(std::int32_t(i * i % 3));
      const tensor<float> x = [&] {
        tensor<float> out(shape{20, experts});
        for (index_t i = 0; i < out.size(); ++i) out[i] = float(ties.integers[std::size_t(i)]);
        return out;
      }();
      cuda device({.host_threads = 1});
      reference oracle;
      const auto run = [&]<class B>(B& on) {
        const array<B, float> values(on, x);
        const array<B, std::int32_t> instances(on, tensor<std::int32_t>(shape{20, 1}, 0));
        array<B, float> y(on, x.extents());
        top_k_mask(on, k, values.matrix(), instances.matrix(), y.matrix());
        return y.read();
      };
      CHECK(run(device) == run(oracle));
    }
  for (auto group : {backend::token_group::batch, backend::token_group::instance})
    for (const case_input& instances : {packed(150), mingled(150)}) {
      check_case<ops::capacity_mask_op>({2, 0.75, group}, {{150, 9, 1, 1}, instances});
      check_case<ops::group_mean_op>({group}, {{150, 37}, instances});
    }
}

TEST_CASE("weights of experts on CUDA: wide rows") {
  for (index_t experts : {33, 100, 300}) {
    CAPTURE(experts);
    check_case<ops::normalise_sum_op>({}, {{21, experts, 0, 1}});
    check_case<ops::excess_op>({}, {{21, experts}, {21, 1}});
    check_case<ops::router_statistics_op>({}, {{70, experts}, mingled(70)});
  }
  check_case<ops::scale_columns_op>({}, {{90, 150}, {1, 150}, {1, 150, 0.5, 1.5, false}});
}
