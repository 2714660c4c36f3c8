// Inputs that name rows or columns are checked where they come in.
#include "mor1e/autodiff/indices.hpp"

#include <cstdint>

#include "doctest/doctest.h"
#include "mor1e/autodiff/plan.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/ops/all.hpp"
#include "mor1e/testing/fenced.hpp"

using namespace mor1e;

namespace {

using ids = tensor<std::int32_t>;

ids column(std::initializer_list<std::int32_t> of) {
  ids out({index_t(of.size()), 1});
  std::copy(of.begin(), of.end(), out.begin());
  return out;
}

}  // namespace

TEST_CASE_TEMPLATE("an index past the table is refused when the op is applied, on any device", B, cpu, reference,
                   testing::fenced) {
  B device;
  tape t(device);
  const auto table = input(t, tensor<float>({5, 2}, 1));
  CHECK_NOTHROW(gather_rows(table, input(t, column({4, -1, 0}))));
  CHECK_THROWS_WITH_AS(gather_rows(table, input(t, column({0, 1, 5}))), "gather_rows: index 5 at 2 is outside [0, 5)",
                       value_error);
  CHECK_THROWS_WITH_AS(cross_entropy(table, input(t, column({1, 0, 2, -1, 0}))),
                       "cross_entropy: index 2 at 2 is outside [0, 2)", value_error);
  CHECK_THROWS_WITH_AS(
      ops::group_mean(t, table.var(), t.input(column({0, 0, 5, 0, 0})), backend::token_group::instance),
      "group_mean: index 5 at 2 is outside [0, 5)", value_error);
}

TEST_CASE("segments stay inside their rows, and begin at row 0 at the earliest") {
  reference device;
  tape t(device);
  const auto x = t.input(tensor<double>({4, 3}, 1));
  const auto mean_of = [&](std::int32_t begin, std::int32_t end) {
    const segment s{begin, end, 0, 0, 0};
    return ops::segment_mean(t, x, t.input(view<const std::int32_t>(&s.begin, 1, segment_fields)));
  };
  CHECK_NOTHROW(mean_of(0, 4));
  CHECK_THROWS_WITH_AS(mean_of(0, 5), "segment_mean: index 5 at 1 is outside [0, 5)", value_error);
  CHECK_THROWS_WITH_AS(mean_of(-1, 4), "segment_mean: index -1 at 0 is outside [0, 5)", value_error);
  const segment far{0, 4, 9, 0, 0};
  const ops::attention_attributes one{.heads = 1, .kv_heads = 1, .head_dim = 1};
  CHECK_THROWS_AS(ops::attention(t, x, t.input(view<const std::int32_t>(&far.begin, 1, segment_fields)), one),
                  value_error);
}

TEST_CASE_TEMPLATE("a plan refuses what its narrowest reader does not have, and keeps what it held", B, cpu,
                   testing::fenced) {
  B device;
  tape recorded(device, recording::plan);
  const auto wide = recorded.template input<float>(9, 1), narrow = recorded.template input<float>(3, 1);
  const auto index = recorded.template input<std::int32_t>(2, 1);
  const auto y = ops::add(recorded, ops::gather_rows(recorded, wide, index), ops::gather_rows(recorded, narrow, index));
  plan program(std::move(recorded), y, false);
  program.fill(wide, tensor<float>({9, 1}, 1));
  program.fill(narrow, tensor<float>{{1}, {2}, {3}});
  program.fill(index, column({2, 0}));
  CHECK_THROWS_WITH_AS(program.fill(index, column({1, 3})), "gather_rows: index 3 at 1 is outside [0, 3)", value_error);
  program.run();
  CHECK(program.read(y) == tensor<float>{{4}, {2}});
}

TEST_CASE("an input that was read already is checked when it is filled again") {
  cpu device(1);
  tape t(device);
  const auto index = t.input(column({1}));
  ops::gather_rows(t, t.input(tensor<float>({2, 2}, 1)), index);
  CHECK_THROWS_AS(t.fill(index, column({2})), value_error);
  CHECK_NOTHROW(t.fill(index, column({0})));
}
