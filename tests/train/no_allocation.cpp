// After the first step of a batch size a training step allocates nothing of ours.
//
// Ours are containers (operator new) and buffers (aligned_alloc: tensors, slabs). Eigen takes the panels of a product
// too large for its stack limit from malloc, each time: those are counted apart, and the number is printed.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "allocation_count.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

constexpr int examples = 5, clusters = 8;

/// Packed sequences of different lengths with `extra` tokens more each.
std::vector<data::packed_batch> batches(int vocabulary, index_t extra) {
  std::vector<data::encoded_example> all;
  for (int i = 0; i < examples; ++i) {
    data::encoded_example e{std::to_string(i), {}, 3, i};
    for (index_t j = 0; j < 10 + i + extra; ++j)
      e.ids.push_back(std::int32_t(uniform<double>(stream_key(1, std::uint64_t(i)), std::uint64_t(j)) * vocabulary));
    all.push_back(std::move(e));
  }
  return data::pack(all, {.tokens = 64 + examples * extra, .row_bucket = 64});
}

template <class Method>
void check_step(const Method& method, train::program_options program) {
  cpu device(2);
  const auto model = models::load<cpu, float>(device, models::toy_name);
  auto adapters = peft::attach(*model, method);
  train::trainer<cpu, float> trainer(device, *model, adapters.parameters(),
                                     {.adam = {.learning_rate = 1e-3}, .clip = 0.01, .program = program});
  const tensor<float> intuition_rows = testing::random<float>(shape{examples, clusters}, 2, 0, 1);
  const auto small = batches(model->vocabulary(), 0), large = batches(model->vocabulary(), 60);
  const auto step = [&](const std::vector<data::packed_batch>& micro_batches) {
    const auto before = testing::allocations();
    trainer.step(micro_batches, intuition_rows.matrix(), 1);
    return testing::allocations() - before;
  };
  // The larger plan moves the slab that both share: the smaller one is placed again, which allocates nothing either.
  CHECK(step(small).ours() > 0);
  CHECK(step(large).ours() > 0);
  for (const auto* again : {&small, &large, &small, &large}) {
    const auto count = step(*again);
    CHECK(count.containers == 0);
    CHECK(count.buffers == 0);
  }
  MESSAGE("Eigen's panels in a step: ", step(large).foreign, " calls of malloc");
}

}  // namespace

TEST_CASE("the counter counts" * doctest::skip(!MOR1E_COUNTS_ALLOCATIONS)) {
  const auto before = testing::allocations();
  const auto* one = new std::vector<int>(100);
  const tensor<float> two(shape{3, 3});
  void* volatile three = std::malloc(7);
  const auto count = testing::allocations() - before;
  std::free(three);
  delete one;
  CHECK(count.containers == 2);
  CHECK(count.buffers == 1);
  CHECK(count.foreign == 1);
}

TEST_CASE("a step allocates nothing of ours after the first of its size" * doctest::skip(!MOR1E_COUNTS_ALLOCATIONS)) {
  for (const bool recompute : {false, true}) {
    CAPTURE(recompute);
    check_step(peft::lora{.rank = 4}, {.recompute = recompute});
    check_step(peft::mor1e{.experts = clusters}, {.recompute = recompute, .clusters = clusters});
    check_step(peft::sira{.experts = 4}, {.recompute = recompute, .dropout = true});
    check_step(peft::loramoe{.type_balance = 0.1}, {.recompute = recompute, .dropout = true, .types = true});
  }
}

TEST_CASE("with router statistics, what the report holds is all that is allocated" *
          doctest::skip(!MOR1E_COUNTS_ALLOCATIONS)) {
  cpu device(2);
  const auto model = models::load<cpu, float>(device, models::toy_name);
  auto adapters = peft::attach(*model, peft::mor1e{.experts = clusters});
  train::program_cache<cpu, float> programs(device, *model, {.statistics = true, .clusters = clusters});
  const tensor<float> intuition_rows = testing::random<float>(shape{examples, clusters}, 2, 0, 1);
  const auto packed = batches(model->vocabulary(), 0);
  const auto run = [&] {
    const auto before = testing::allocations();
    programs.prepare(packed.front(), intuition_rows.matrix(), 1).run();
    return (testing::allocations() - before).ours();
  };
  CHECK(run() > 0);
  CHECK(run() == 0);
}

#if !MOR1E_COUNTS_ALLOCATIONS
TEST_CASE("allocations are not counted in this build") {
  MESSAGE("SKIPPED: a sanitizer, or a C library other than glibc, has the allocator");
}
#endif
