// A step and a scoring whose work several processes share, threads in their place, beside those of one.
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/data/share.hpp"
#include "mor1e/eval/shared_branches.hpp"
#include "mor1e/testing/thread_group.hpp"
#include "train/small_step.hpp"

using namespace mor1e;
using namespace mor1e::testing::small_step;
using distributed::process_group;

namespace {

template <class T, class Method>
std::vector<outcome<T>> shared_step(const Method& method, int processes, train::program_options program = {}) {
  std::vector<outcome<T>> out(static_cast<std::size_t>(processes));
  testing::in_threads(processes, [&](process_group& group) {
    cpu device(1);
    const auto all = examples();
    std::vector<index_t> order;
    for (std::size_t i = 0; i < all.size(); ++i) order.push_back(index_t(i));
    const auto mine = data::share(all, order, group.index(), group.size());
    out[std::size_t(group.index())] = run<T>(device, method, {pack_these(all, mine)}, program, group);
  });
  return out;
}

template <class Method>
void check_shared(const Method& method, train::program_options program = {}) {
  const auto one = shared_step<double>(method, 1, program);
  for (const int processes : {2, 3, 6}) {
    const auto shared = shared_step<double>(method, processes, program);
    check_close(shared[0], one[0], 1e-10);
    for (const auto& each : shared) {
      CHECK(each.loss == shared[0].loss);
      for (std::size_t i = 0; i < each.gradients.size(); ++i)
        CHECK(std::memcmp(each.gradients[i].data(), shared[0].gradients[i].data(),
                          std::size_t(each.gradients[i].size()) * sizeof(double)) == 0);
    }
  }
}

std::vector<eval::branching> branchings() {
  std::vector<eval::branching> out;
  for (const auto& e : examples()) {
    const auto prompt = e.ids.begin() + e.first_target;
    out.push_back({.id = e.id,
                   .prompt = {e.ids.begin(), prompt},
                   .branches = {{prompt, e.ids.end()}, {std::int32_t(7)}, {std::int32_t(3), std::int32_t(5)}},
                   .instance = e.instance});
  }
  return out;
}

}  // namespace

TEST_CASE("processes that share a step have the loss and the gradients of one that takes it alone") {
  check_shared(lora);
  check_shared(mixture);
  check_shared(dense);
  check_shared(sparse);
}

TEST_CASE("random numbers of a step do not depend on whose an example is") {
  peft::lora dropped = lora;
  dropped.dropout = 0.5;
  check_shared(dropped, {.dropout = true, .seed = 3});
}

TEST_CASE("what a step reports is of all processes") {
  std::vector<train::step_report> reports(3);
  const auto step = [&](process_group& group) {
    cpu device(1);
    const auto all = examples();
    adapted<double, peft::mor1e> with(device, mixture);
    train::trainer<cpu, double> trainer(device, *with.model, with.set,
                                        {.program = {.statistics = true}, .processes = &group});
    const tensor<double> rows = intuition<double>();
    const auto mine = data::share(all, std::vector<index_t>{0, 1, 2, 3, 4, 5}, group.index(), group.size());
    return trainer.step(std::vector{pack_these(all, mine)}, rows.matrix(), 1);
  };
  testing::in_threads(3, [&](process_group& group) { reports[std::size_t(group.index())] = step(group); });
  const train::step_report alone = step(distributed::alone());
  for (const auto& report : reports) {
    CHECK(report.targets == alone.targets);
    CHECK(report.tokens == alone.tokens);
    CHECK(report.loss == doctest::Approx(alone.loss).epsilon(1e-10));
    CHECK(report.gradient_norm == doctest::Approx(alone.gradient_norm).epsilon(1e-10));
    REQUIRE(report.routers.size() == alone.routers.size());
    for (std::size_t i = 0; i < report.routers.size(); ++i) {
      CHECK(report.routers[i].entropy == doctest::Approx(alone.routers[i].entropy).epsilon(1e-10));
      CHECK(report.routers[i].load[0] == doctest::Approx(alone.routers[i].load[0]).epsilon(1e-10));
    }
    REQUIRE(report.gates.size() == alone.gates.size());
    CHECK(report.gates[0].gradients[0] == doctest::Approx(alone.gates[0].gradients[0]).epsilon(1e-9));
  }
}

TEST_CASE("shares of a step are as even as their longest examples let them be") {
  std::vector<data::encoded_example> all;
  for (const std::size_t length : {9u, 2u, 4u, 4u, 3u, 2u, 9u})
    all.push_back({"", std::vector<std::int32_t>(length), 1});
  const std::vector<index_t> order{6, 0, 1, 2, 3, 4, 5, 1};
  const auto of = [&](int part, int parts) { return data::share(all, order, part, parts); };
  CHECK(of(0, 1) == order);
  CHECK(of(0, 3) == std::vector<index_t>{6, 1, 1});
  CHECK(of(1, 3) == std::vector<index_t>{0, 5});
  CHECK(of(2, 3) == std::vector<index_t>{2, 3, 4});
  CHECK_THROWS_WITH_AS(of(0, 9), "a step of 8 examples for 9 processes", value_error);
}

TEST_CASE("processes that score together all have the same scores, those of one alone") {
  const auto all = branchings();
  const auto scores = [&](process_group& group) {
    cpu device(1);
    adapted<float, peft::mor1e> with(device, mixture);
    eval::branch_scorer<cpu, float> scorer(device, *with.model);
    std::vector<eval::branching_score> out(all.size());
    const tensor<float> rows = intuition<float>();
    eval::score_shared<cpu, float>(group, scorer, all, rows.matrix(),
                                   [&](std::size_t i, eval::branching_score&& score) { out[i] = std::move(score); });
    return out;
  };
  const auto alone = scores(distributed::alone());
  for (const int processes : {2, 3, 9}) {  // of nine some have nothing to do
    std::vector<std::vector<eval::branching_score>> shared(static_cast<std::size_t>(processes));
    testing::in_threads(processes, [&](process_group& group) { shared[std::size_t(group.index())] = scores(group); });
    for (std::size_t r = 0; r < shared.size(); ++r)
      for (std::size_t i = 0; i < all.size(); ++i) {
        const eval::branching_score &got = shared[r][i], &first = shared[0][i], &expected = alone[i];
        CHECK(got.greedy == expected.greedy);
        CHECK(got.first_logits == first.first_logits);
        REQUIRE(got.branches.size() == expected.branches.size());
        for (std::size_t c = 0; c < got.branches.size(); ++c)
          for (std::size_t j = 0; j < got.branches[c].size(); ++j) {
            const eval::token_score& token = got.branches[c][j];
            CHECK(token.log_probability == first.branches[c][j].log_probability);
            // A product over other rows may add in another order.
            CHECK(token.log_probability == doctest::Approx(expected.branches[c][j].log_probability).epsilon(1e-5));
            CHECK(token.largest == expected.branches[c][j].largest);
          }
      }
  }
}
