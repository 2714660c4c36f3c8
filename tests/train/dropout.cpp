// What a step drops follows from seed, step and token, and from nothing else.
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/peft/methods/dora.hpp"
#include "mor1e/peft/methods/loramoe.hpp"
#include "train/small_step.hpp"

using namespace mor1e;
using namespace mor1e::testing::small_step;

TEST_CASE("what is dropped depends on seed, step and token alone") {
  const auto all = examples();
  cpu device(2), other(3);
  const std::vector<data::packed_batch> batches{pack_these(all, {0, 1, 2, 3, 4, 5})};
  const auto check = [&](auto method) {
    const train::program_options with{.dropout = true, .seed = 9}, again{.dropout = true, .seed = 10};
    const auto evaluated = [&](const auto& of, bool draws) {
      adapted<double, std::decay_t<decltype(of)>> with_it(device, of);
      train::program_cache<cpu, double> programs(device, *with_it.model,
                                                 {.training = false, .dropout = draws, .seed = 9});
      return programs.prepare(batches[0], {}, 1.0 / double(batches[0].live_targets)).run();
    };
    const auto whole = run<double>(device, method, batches);
    const double loss = evaluated(method, false);
    if constexpr (requires { method.gate_dropout; })
      method.gate_dropout = 0.25;
    else
      method.dropout = 0.25;
    const auto expected = run<double>(device, method, batches, with);
    CHECK_FALSE(same_bits(expected, whole));
    CHECK_FALSE(same_bits(run<double>(device, method, batches, again), expected));
    CHECK(same_bits(run<double>(device, method, batches, with), expected));
    check_close(run<double>(other, method, {pack_these(all, {4, 2, 0}), pack_these(all, {5, 1, 3})}, with), expected,
                1e-12);
    for (const bool blocks : {false, true})
      for (const bool cheap : {false, true})
        CHECK(same_bits(run<double>(device, method, batches,
                                    {.recompute = blocks, .recompute_cheap = cheap, .dropout = true, .seed = 9}),
                        expected));
    // A step that was not asked to draw would train without, and one that does not train drops nothing.
    CHECK_THROWS_WITH_AS(run<double>(device, method, batches),
                         doctest::Contains("draws no random numbers for a dropout of 0.25"), value_error);
    CHECK(evaluated(method, true) == loss);
  };
  check(lora);
  check(peft::dora{.rank = 4, .alpha = 8});
  check(peft::loramoe{.experts = 4, .rank = 2, .dropout = 0});
  check(sparse);
}

TEST_CASE("a step draws its own dropout, the same after a resume") {
  const auto all = examples();
  cpu device(1);
  const auto check = [&](const auto& method) {
    adapted<float, std::decay_t<decltype(method)>> with(device, method);
    const auto trainer = [&] {
      return train::trainer<cpu, float>(device, *with.model, with.set.parameters(),
                                        {.adam = {.learning_rate = 0}, .program = {.dropout = true, .seed = 3}});
    };
    const std::vector<data::packed_batch> batches{pack_these(all, {0, 1, 2, 3, 4, 5})};
    auto first = trainer(), resumed = trainer();
    const double one = first.step(batches, {}, 1).loss, two = first.step(batches, {}, 1).loss;
    CHECK(one != two);
    const auto moments = first.optimizer().moments();
    resumed.optimizer().restore(1, moments);
    CHECK(resumed.step(batches, {}, 1).loss == two);
  };
  check(peft::lora{.rank = 4, .alpha = 8, .dropout = 0.25});
  check(peft::sira{.experts = 4, .rank = 2, .k = 2, .gate_dropout = 0.25});
}
