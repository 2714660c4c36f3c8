#include "mor1e/data/sampling.hpp"

#include <algorithm>
#include <set>

#include "doctest/doctest.h"
#include "mor1e/core/error.hpp"

using namespace mor1e;
using namespace mor1e::data;

TEST_CASE("an epoch is a permutation that depends on seed and epoch") {
  auto order = epoch_order(50, 1, 0);
  CHECK(order == epoch_order(50, 1, 0));
  CHECK(order != epoch_order(50, 1, 1));
  CHECK(order != epoch_order(50, 2, 0));
  std::sort(order.begin(), order.end());
  for (index_t i = 0; i < 50; ++i) CHECK(order[std::size_t(i)] == i);
}

TEST_CASE("shuffled: every epoch gives every example once") {
  sampler samples({3, 4}, sampling_order::shuffled, 5);
  CHECK(samples.size() == 7);
  for (int epoch = 0; epoch < 3; ++epoch) {
    const auto taken = samples.take(7);
    CHECK(std::set<index_t>(taken.begin(), taken.end()).size() == 7);
  }
}

TEST_CASE("round-robin: each round has every task once, each task gives all its examples before one repeats") {
  sampler samples({2, 5, 3}, sampling_order::round_robin, 5);
  const auto task_of = [](index_t i) { return i < 2 ? 0 : i < 7 ? 1 : 2; };
  std::vector<index_t> given[3];
  std::set<std::vector<int>> decks;
  for (int round = 0; round < 30; ++round) {
    std::vector<int> tasks;
    for (index_t i : samples.take(3)) {
      tasks.push_back(task_of(i));
      given[task_of(i)].push_back(i);
    }
    decks.insert(tasks);
    std::sort(tasks.begin(), tasks.end());
    CHECK(tasks == std::vector<int>{0, 1, 2});
  }
  CHECK(decks.size() > 3);
  const std::size_t sizes[3] = {2, 5, 3};
  for (int task = 0; task < 3; ++task)
    for (std::size_t begin = 0; begin < 30; begin += sizes[task])
      CHECK(std::set<index_t>(given[task].begin() + index_t(begin), given[task].begin() + index_t(begin + sizes[task]))
                .size() == sizes[task]);
}

TEST_CASE("a sampler resumes from its position") {
  for (sampling_order order : {sampling_order::shuffled, sampling_order::round_robin}) {
    sampler whole({4, 9, 1}, order, 8);
    whole.take(23);
    CHECK(whole.position() == 23);
    sampler resumed({4, 9, 1}, order, 8);
    resumed.seek(23);
    CHECK(resumed.take(40) == whole.take(40));
    resumed.seek(2);  // backwards too
    sampler again({4, 9, 1}, order, 8);
    again.take(2);
    CHECK(resumed.take(5) == again.take(5));
  }
}

TEST_CASE("orders by name, and what is refused") {
  CHECK(sampling_order_named("shuffled") == sampling_order::shuffled);
  CHECK(sampling_order_named("round-robin") == sampling_order::round_robin);
  CHECK_THROWS_WITH_AS(sampling_order_named("random"),
                       "sampling order 'random' is unknown; there are: shuffled, round-robin", value_error);
  CHECK_THROWS_AS(sampler({}, sampling_order::shuffled, 0), value_error);
  CHECK_THROWS_WITH_AS(sampler({3, 0}, sampling_order::round_robin, 0), "sampler: task number 1 has 0 examples",
                       value_error);
  sampler samples({3}, sampling_order::shuffled, 0);
  CHECK_THROWS_AS(samples.seek(-1), value_error);
}
