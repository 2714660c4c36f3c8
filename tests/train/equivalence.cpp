// However a step is laid out, split, threaded or planned, it is the same step.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include "host_values.hpp"
#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/methods/adamole.hpp"
#include "mor1e/peft/methods/dora.hpp"
#include "mor1e/peft/methods/hydralora.hpp"
#include "mor1e/peft/methods/loramoe.hpp"
#include "mor1e/peft/methods/mix_and_match.hpp"
#include "train/small_step.hpp"

using namespace mor1e;
using namespace mor1e::testing::small_step;

namespace {

template <class T, class Method>
void check_layouts(const Method& method, double relative) {
  cpu device(2);
  const auto all = examples();
  const std::vector<index_t> every{0, 1, 2, 3, 4, 5};
  const outcome<T> expected = run<T>(device, method, {pack_these(all, every)});
  CHECK(expected.loss > 1);
  const auto check = [&](const std::string& what, const std::vector<data::packed_batch>& batches) {
    CAPTURE(what);
    check_close(run<T>(device, method, batches), expected, relative);
  };
  check("no dead rows", {pack_these(all, every, 1)});
  check("many dead rows", {pack_these(all, every, 256)});
  check("another order", {pack_these(all, {4, 2, 0, 5, 1, 3})});
  check("padded", {pad(all)});
  check("one at a time", {pack_these(all, {0}), pack_these(all, {1}), pack_these(all, {2}), pack_these(all, {3}),
                          pack_these(all, {4}), pack_these(all, {5})});
  check("halves", {pack_these(all, {0, 1, 2}), pack_these(all, {3, 4, 5})});
  check("unequal", {pack_these(all, {2, 5}), pack_these(all, {3}), pack_these(all, {0, 1, 4})});
}

}  // namespace

TEST_CASE("packing is padding is one at a time, and any split is the same step") {
  check_layouts<double>(lora, 1e-12);
  check_layouts<double>(mixture, 1e-12);
  check_layouts<double>(peft::mor1e::paper(clusters), 1e-12);
  check_layouts<double>(dense, 1e-12);
  check_layouts<double>(sparse, 1e-12);
  check_layouts<double>(peft::dora{.rank = 4, .alpha = 8}, 1e-12);
  check_layouts<double>(peft::mor1e{.experts = 4, .clusters = clusters, .before = true, .low_rank_router = true},
                        1e-12);
  check_layouts<double>(peft::mix_and_match{.r1 = 2, .r2 = 3}, 1e-12);
  check_layouts<double>(peft::loramoe{.experts = 4, .rank = 2, .dropout = 0}, 1e-12);
  check_layouts<double>(peft::hydralora{.rank = 2}, 1e-12);
  check_layouts<double>(peft::adamole{.experts = 4, .rank = 2, .losses = {}}, 1e-12);
  check_layouts<float>(lora, 1e-5);
  check_layouts<float>(mixture, 1e-5);
}

TEST_CASE("what is counted over a batch sees its cut, but neither its padding nor its dead rows") {
  cpu device(2);
  const auto all = examples();
  const std::vector<index_t> every{0, 1, 2, 3, 4, 5};
  // The exceptions to the above: tokens that compete in their batch, and losses of balance over it.
  const auto check = [&](const auto& method) {
    const auto once = [&](const std::vector<data::packed_batch>& batches) {
      return run<double>(device, method, batches, {.types = peft::any_method(method).needs().types});
    };
    const auto expected = once({pack_these(all, every)});
    check_close(once({pack_these(all, every, 1)}), expected, 1e-12);
    check_close(once({pack_these(all, every, 256)}), expected, 1e-12);
    check_close(once({pad(all)}), expected, 1e-12);
    const auto halves = once({pack_these(all, {0, 1, 2}), pack_these(all, {3, 4, 5})});
    CHECK(std::abs(halves.loss - expected.loss) > 1e-9 * expected.loss);
  };
  peft::sira competing = sparse;
  competing.group = peft::token_group::batch, competing.losses = {};
  check(competing);
  for (const peft::router_losses& losses : {peft::router_losses{.gshard = 0.5}, {.balance = 0.3}, {.variation = 0.2}}) {
    check(peft::molora{.experts = 4, .rank = 2, .losses = losses});
    check(peft::adamole{.experts = 4, .rank = 2, .losses = losses});
  }
  check(peft::loramoe{.experts = 4, .rank = 2, .losses = {.variation = 0.2}, .dropout = 0});
  check(peft::loramoe{.experts = 4, .rank = 2, .dropout = 0, .type_balance = 0.2, .delta = 0.3});
  check(peft::hydralora{.rank = 2, .losses = {.balance = 0.3}});
}

TEST_CASE("recomputation changes no bit") {
  cpu device(2);
  const auto all = examples();
  const std::vector<data::packed_batch> batches{pack_these(all, {0, 1, 2}), pack_these(all, {3, 4, 5})};
  const auto check = [&](const auto& method) {
    const bool typed = peft::any_method(method).needs().types;
    const auto expected =
        run<float>(device, method, batches, {.recompute = false, .recompute_cheap = false, .types = typed});
    for (const bool blocks : {false, true})
      for (const bool cheap : {false, true})
        for (const bool statistics : {false, true}) {
          CAPTURE(blocks);
          CAPTURE(cheap);
          CAPTURE(statistics);
          CHECK(same_bits(
              run<float>(device, method, batches,
                         {.recompute = blocks, .recompute_cheap = cheap, .statistics = statistics, .types = typed}),
              expected));
        }
  };
  check(lora);
  check(mixture);
  check(dense);
  check(sparse);
  check(peft::adamole{.experts = 4, .rank = 2});
  check(peft::loramoe{.experts = 4, .rank = 2, .dropout = 0, .type_balance = 0.2, .delta = 0.3});
}

TEST_CASE("one and four threads agree") {
  const auto all = examples();
  const std::vector<data::packed_batch> batches{pack_these(all, {0, 1, 2, 3, 4, 5}, 512)};
  cpu one(1), four(4);
  check_close(run<float>(four, mixture, batches), run<float>(one, mixture, batches), 1e-5);
  check_close(run<float>(four, sparse, batches), run<float>(one, sparse, batches), 1e-5);
  check_close(run<float>(four, lora, batches), run<float>(one, lora, batches), 1e-5);
}

TEST_CASE("the same seed gives the same bits") {
  const auto all = examples();
  const tensor<float> felt = intuition<float>();
  const auto trained = [&](std::uint64_t seed) {
    cpu device(3);
    const auto model = load_base<float>(device);
    auto set = peft::attach(*model, mixture, seed);
    train::trainer<cpu, float> trainer(device, *model, set.parameters(),
                                       {.adam = {.learning_rate = 0.01}, .program = {.clusters = clusters}});
    for (int step = 0; step < 4; ++step)
      trainer.step(std::vector{pack_these(all, {0, 1, 2}), pack_these(all, {3, 4, 5})}, felt.matrix(), 1);
    std::vector<float> out;
    for (const auto* p : set.parameters()) testing::append(out, p->read());
    return out;
  };
  const auto a = trained(1), b = trained(1);
  CHECK(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
  CHECK(a != trained(2));
}

TEST_CASE("every adapter tensor learns") {
  cpu device(2);
  const auto all = examples();
  const tensor<float> felt = intuition<float>();
  const auto check = [&](const auto& method) {
    adapted<float, std::decay_t<decltype(method)>> fresh(device, method, false);
    train::trainer<cpu, float> trainer(device, *fresh.model, fresh.set.parameters(),
                                       {.adam = {.learning_rate = 0.01}, .program = {.clusters = clusters_of(method)}});
    const auto moves = [&](const peft::parameter_view<cpu, float>& v) {
      const tensor<float> gradient = v.read_gradient();
      return std::any_of(gradient.begin(), gradient.end(), [](float g) { return g != 0; });
    };
    // U starts at 0, so nothing that acts through it can be felt: the first step moves U alone.
    trainer.step(std::vector{pack_these(all, {0, 1, 2, 3, 4, 5})}, felt.matrix(), 1);
    for (const auto& v : fresh.set.views()) CHECK_MESSAGE(moves(v) == v.name.ends_with("lora_B.weight"), v.name);
    trainer.step(std::vector{pack_these(all, {0, 1, 2, 3, 4, 5})}, felt.matrix(), 1);
    for (const auto& v : fresh.set.views()) CHECK_MESSAGE(moves(v), v.name);
  };
  check(lora);
  check(mixture);
  check(peft::molora{.experts = 4});
  check(peft::sira{.experts = 4, .gate_dropout = 0, .losses = {}});
  check(peft::hydralora{});
  check(peft::adamole{.experts = 4, .rank = 2, .losses = {}});
  check(peft::mor1e{.experts = clusters, .router_bias = true});
  check(peft::mor1e{.experts = 4, .clusters = clusters, .low_rank_router = true});
  check(peft::mix_and_match{.r1 = 2, .r2 = 3});
  check(peft::mix_and_match{.r1 = 3, .r2 = 4, .factorised = true, .clusters = clusters});
}

TEST_CASE("a step that throws leaves the parameters, and the next one is as if it had not been") {
  cpu device(2);
  const auto all = examples();
  const tensor<float> felt = intuition<float>();
  const std::vector<data::packed_batch> good{pack_these(all, {0, 1, 2}), pack_these(all, {3, 4, 5})};
  std::vector<data::packed_batch> bad = good;
  bad[1].tokens[3] = vocabulary;
  const auto values = [](auto& set) {
    std::vector<float> out;
    for (const auto* p : set.parameters()) testing::append(out, p->read());
    return out;
  };
  adapted<float, peft::mor1e> a(device, mixture), b(device, mixture);
  const train::trainer_options options{.adam = {.learning_rate = 0.01}, .program = {.clusters = clusters}};
  train::trainer<cpu, float> first(device, *a.model, a.set.parameters(), options),
      second(device, *b.model, b.set.parameters(), options);
  const auto before = values(a.set);
  CHECK_THROWS_AS(first.step(bad, felt.matrix(), 1), value_error);
  CHECK(values(a.set) == before);
  first.step(good, felt.matrix(), 1);
  second.step(good, felt.matrix(), 1);
  CHECK(values(a.set) == values(b.set));
  CHECK(values(a.set) != before);

  // Nor does a gradient that is not a number.
  tensor<float> spoiled = a.set.parameters().back()->read();
  spoiled[0] = std::numeric_limits<float>::quiet_NaN();
  a.set.parameters().back()->write(spoiled);
  const auto broken = values(a.set);
  CHECK_THROWS_WITH_AS(first.step(good, felt.matrix(), 1), doctest::Contains("the gradient norm is"), error);
  CHECK(std::memcmp(values(a.set).data(), broken.data(), broken.size() * sizeof(float)) == 0);
}

namespace {

/// The CPU with an account of the memory of its tapes, which runs out at a given request.
struct counting_cpu : cpu {
  using cpu::cpu;
  long live = 0, requests = 0, fails_at = -1;

  void* take(std::size_t bytes) {
    if (requests++ == fails_at) throw std::bad_alloc();
    void* p = cpu::take(bytes);
    ++live;
    return p;
  }
  void give_back(void* p, std::size_t bytes) {
    --live;
    cpu::give_back(p, bytes);
  }
};

}  // namespace

TEST_CASE("running out of memory anywhere in a step leaks nothing") {
  counting_cpu device(1);
  const auto model = load_base<float>(device);
  auto set = peft::attach(*model, mixture, 1);
  const tensor<float> felt = intuition<float>();
  const data::packed_batch batch = pack_these(examples(), {0, 1, 2, 3, 4, 5});
  const auto step = [&] {
    tape<counting_cpu> t(device);
    auto context = models::place_batch<counting_cpu, float>(t, batch);
    context.batch.intuition = t.input<float>(felt.matrix());
    t.backward(model->loss(t, context).loss);
  };
  step();
  CHECK(device.live == 0);
  const long whole = device.requests;
  CHECK(whole > 20);
  for (long at = 0; at < whole; ++at) {
    device.requests = 0;
    device.fails_at = at;
    CHECK_THROWS_AS(step(), std::bad_alloc);
    CHECK(device.live == 0);
  }
}
