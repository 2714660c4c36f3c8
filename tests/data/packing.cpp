#include "mor1e/data/packing.hpp"

#include <utility>

#include "doctest/doctest.h"
#include "mor1e/core/error.hpp"

using namespace mor1e;
using namespace mor1e::data;

namespace {
using ints = std::vector<std::int32_t>;

const std::vector<encoded_example> three{
    {"a", {10, 11, 12}, 2, 7}, {"b", {20, 21, 22, 23}, 2, 5}, {"c", {30, 31}, 1, 9}};

using bounds = std::vector<std::pair<int, int>>;
bounds bounds_of(const packed_batch& batch) {
  bounds out;
  for (const segment& each : batch.segments) {
    CHECK(each.keys == each.begin);
    CHECK(each.prefix_begin == each.prefix_end);
    out.emplace_back(each.begin, each.end);
  }
  return out;
}
}  // namespace

TEST_CASE("two examples and a dead segment, written out") {
  const std::vector<index_t> order{1, 0};
  const auto batches =
      pack(three, order, {.tokens = 10, .context = 10, .row_bucket = 4, .segment_bucket = 2, .answer_bucket = 4});
  REQUIRE(batches.size() == 1);
  const packed_batch& batch = batches[0];
  CHECK(batch.tokens == ints{20, 21, 22, 23, 10, 11, 12, 0});
  CHECK(batch.positions == ints{0, 1, 2, 3, 0, 1, 2, 0});
  CHECK(batch.instances == ints{5, 5, 5, 5, 7, 7, 7, -1});
  CHECK(bounds_of(batch) == bounds{{0, 4}, {4, 7}, {7, 8}, {8, 8}});
  CHECK(batch.answer_rows == ints{1, 2, 5, 0});
  CHECK(batch.targets == ints{22, 23, 12, -1});
  CHECK(batch.examples == 2);
  CHECK(batch.live_rows == 7);
  CHECK(batch.live_targets == 3);
  CHECK(batch.rows() == 8);
}

TEST_CASE("a batch that fills its bucket has no dead segment") {
  const auto batches =
      pack(three, {.tokens = 9, .context = 9, .row_bucket = 9, .segment_bucket = 1, .answer_bucket = 2});
  REQUIRE(batches.size() == 1);
  CHECK(bounds_of(batches[0]) == bounds{{0, 3}, {3, 7}, {7, 9}});
  CHECK(batches[0].targets == ints{12, 22, 23, 31});
}

TEST_CASE("the budget counts tokens, and the order of examples is kept") {
  const auto batches =
      pack(three, {.tokens = 6, .context = 6, .row_bucket = 1, .segment_bucket = 1, .answer_bucket = 1});
  REQUIRE(batches.size() == 2);
  CHECK(batches[0].tokens == ints{10, 11, 12});
  CHECK(batches[1].tokens == ints{20, 21, 22, 23, 30, 31});
  CHECK(
      pack(three, {.tokens = 7, .context = 7, .row_bucket = 1, .segment_bucket = 1, .answer_bucket = 1})[0].examples ==
      2);
  CHECK(pack({}, packing_options{}).empty());
}

TEST_CASE("every token and every target occurs once, whatever the budget") {
  std::vector<encoded_example> many;
  for (int i = 0; i < 50; ++i) many.push_back({"e", ints(std::size_t(2 + i * 7 % 23), i), 1 + i % 2, i});
  for (index_t budget : {24, 60, 5000}) {
    index_t tokens = 0, targets = 0, expected_tokens = 0, expected_targets = 0;
    for (const packed_batch& batch : pack(many, {.tokens = budget, .context = 24})) {
      CHECK(batch.live_rows <= budget);
      CHECK(batch.rows() % 32 == 0);
      CHECK(batch.segments.size() % 16 == 0);
      CHECK(index_t(batch.targets.size()) % 32 == 0);
      CHECK(batch.segments.back().end == batch.rows());
      for (index_t i = 0; i < batch.live_targets; ++i) {
        const std::size_t row = std::size_t(batch.answer_rows[std::size_t(i)]);
        CHECK(batch.tokens[row + 1] == batch.targets[std::size_t(i)]);
        CHECK(batch.instances[row] == batch.instances[row + 1]);
      }
      tokens += batch.live_rows;
      targets += batch.live_targets;
    }
    for (const auto& example : many) {
      expected_tokens += index_t(example.ids.size());
      expected_targets += index_t(example.ids.size()) - example.first_target;
    }
    CHECK(tokens == expected_tokens);
    CHECK(targets == expected_targets);
  }
}

TEST_CASE("what is too long is refused by name, or cut at the left of the prompt") {
  const std::vector<encoded_example> one{{"long", {1, 2, 3, 4, 5, 6}, 4, 0}};
  packing_options options{.tokens = 9, .context = 4, .row_bucket = 1, .segment_bucket = 1, .answer_bucket = 1};
  CHECK_THROWS_WITH_AS(pack(one, options), "example long: 6 tokens exceed the 4 tokens the model takes", value_error);
  options.truncate_prompt = true;
  const auto batches = pack(one, options);
  CHECK(batches[0].tokens == ints{3, 4, 5, 6});
  CHECK(batches[0].positions == ints{0, 1, 2, 3});
  CHECK(batches[0].answer_rows == ints{1, 2});
  CHECK(batches[0].targets == ints{5, 6});
  options.context = 2;
  CHECK_THROWS_WITH_AS(pack(one, options),
                       "example long: a target of 2 tokens and a prompt exceed the 2 tokens the model takes",
                       value_error);
  CHECK_THROWS_WITH_AS(pack(one, {.tokens = 5}), "example long: 6 tokens exceed the 5 tokens of a batch", value_error);
}

TEST_CASE("targets that cannot be predicted, and options without meaning") {
  CHECK_THROWS_AS(pack(std::vector<encoded_example>{{"x", {1, 2}, 0, 0}}), value_error);
  CHECK_THROWS_WITH_AS(pack(std::vector<encoded_example>{{"x", {1, 2}, 3, 0}}),
                       "example x: its target starts at token 3 of 2", value_error);
  CHECK(pack(std::vector<encoded_example>{{"x", {1, 2}, 2, 0}})[0].targets.empty());
  CHECK_THROWS_AS(pack(three, {.tokens = 10, .context = 10, .row_bucket = 0}), value_error);
  const std::vector<index_t> order{3};
  CHECK_THROWS_WITH_AS(pack(three, order), "pack: example number 3 of 3", value_error);
}
