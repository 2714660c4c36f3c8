// However a step is laid out, split, threaded or planned, it is the same step.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <numeric>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/models/batch.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/peft/adamole.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/peft/dora.hpp"
#include "mor1e/peft/hydralora.hpp"
#include "mor1e/peft/lora.hpp"
#include "mor1e/peft/loramoe.hpp"
#include "mor1e/peft/mix_and_match.hpp"
#include "mor1e/peft/molora.hpp"
#include "mor1e/peft/mor1e.hpp"
#include "mor1e/peft/sira.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"
#include "mor1e/train/trainer.hpp"

using namespace mor1e;

namespace {

constexpr int vocabulary = 97, clusters = 6;
const peft::lora lora{.rank = 4, .alpha = 8};
const peft::mor1e mixture{.experts = clusters};
// With losses that are sums over tokens, or over those of an instance: no split shows in them.
const peft::molora dense{.experts = 4, .rank = 2, .losses = {.z = 0.05, .entropy = 0.2}};
const peft::sira sparse{.experts = 4,
                        .rank = 2,
                        .k = 2,
                        .capacity = 0.75,
                        .gate_dropout = 0,
                        .losses = {.gshard = 0.5, .balance = 0.3, .variation = 0.2}};

template <class T, class B>
auto load_base(B& device) {
  return models::load<B, T>(device, (testing::golden_folder() / "train" / "base").string());
}

/// Prompts and answers of different lengths; a prompt of one token and an answer of one among them.
std::vector<data::encoded_example> examples() {
  const std::vector<std::pair<index_t, index_t>> lengths{{5, 2}, {1, 7}, {17, 1}, {9, 3}, {2, 1}, {12, 4}};
  std::vector<data::encoded_example> out;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto [prompt, answer] = lengths[i];
    data::encoded_example e{std::to_string(i), {}, prompt, index_t(i)};
    for (index_t j = 0; j < prompt + answer; ++j)
      e.ids.push_back(std::int32_t(uniform<double>(stream_key(4, i), std::uint64_t(j)) * vocabulary));
    out.push_back(std::move(e));
  }
  return out;
}
template <class T>
tensor<T> intuition() {
  return testing::random<T>(shape{6, clusters}, 5);
}

data::packed_batch pack_these(const std::vector<data::encoded_example>& all, const std::vector<index_t>& which,
                              index_t bucket = 16) {
  auto packed = data::pack(all, which, {.row_bucket = bucket, .segment_bucket = 4, .answer_bucket = 4});
  REQUIRE(packed.size() == 1);
  return std::move(packed[0]);
}

/// Rows of one length: behind each sequence tokens of padding, which are in no segment.
data::packed_batch pad(const std::vector<data::encoded_example>& all) {
  std::size_t length = 0;
  for (const auto& e : all) length = std::max(length, e.ids.size());
  data::packed_batch out;
  for (const auto& e : all) {
    const auto begin = std::int32_t(out.tokens.size()), end = begin + std::int32_t(e.ids.size());
    out.segments.push_back({begin, end, begin, 0, 0});
    for (std::size_t i = 0; i < length; ++i) {
      const bool live = i < e.ids.size();
      out.tokens.push_back(live ? e.ids[i] : 42);
      out.positions.push_back(std::int32_t(i));
      out.instances.push_back(live ? std::int32_t(e.instance) : -1);
      if (live && index_t(i) >= e.first_target) {
        out.answer_rows.push_back(begin + std::int32_t(i) - 1);
        out.targets.push_back(e.ids[i]);
      }
    }
    ++out.examples;
    out.live_rows += index_t(e.ids.size());
  }
  out.live_targets = index_t(out.targets.size());
  return out;
}

/// A model with an adapter whose values are all away from 0.
template <class T, class Method>
struct adapted {
  std::unique_ptr<models::language_model<cpu, T>> model;
  peft::adapter_set<cpu, T> set;

  adapted(cpu& device, const Method& method, bool randomised = true)
      : model(load_base<T>(device)), set(peft::attach(*model, method, 11)) {
    std::uint64_t key = 50;
    if (randomised)
      for (auto& v : set.views()) {
        const double size = v.name.find(".gate_") != std::string::npos ? 0.01 : 0.3;
        const tensor<T> values = testing::random<T>(shape{v.values.rows, v.values.cols}, ++key, -size, size);
        std::copy(values.begin(), values.end(), v.values.data);
      }
  }
};

template <class Method>
constexpr index_t clusters_of(const Method&) {
  if constexpr (requires(Method m) { m.intuition; })
    return clusters;
  else
    return 0;
}

/// Loss first, then the gradient of each parameter.
template <class T>
struct outcome {
  double loss = 0;
  std::vector<tensor<T>> gradients;
};

/// One step with a rate of 0 and no clipping: loss and gradients, nothing moved.
template <class T, class Method>
outcome<T> run(cpu& device, const Method& method, const std::vector<data::packed_batch>& batches,
               train::program_options program = {}) {
  adapted<T, Method> with(device, method);
  program.clusters = clusters_of(method);
  train::trainer<cpu, T> trainer(device, *with.model, with.set.parameters(),
                                 {.adam = {.learning_rate = 0}, .clip = 0, .program = program});
  outcome<T> out;
  const tensor<T> felt = intuition<T>();
  out.loss = trainer.step(batches, felt.matrix(), 1).loss;
  for (const auto* p : with.set.parameters()) out.gradients.push_back(p->gradient.clone());
  return out;
}

template <class T>
void check_close(const outcome<T>& ours, const outcome<T>& expected, double relative) {
  CHECK(std::abs(ours.loss - expected.loss) <= relative * std::abs(expected.loss));
  REQUIRE(ours.gradients.size() == expected.gradients.size());
  // Gates have one number a linear, in which the terms of all tokens cancel: its error is of the size of the terms, so
  // all gates of the model are held to the largest of them.
  double largest_gate = 0;
  for (const auto& g : expected.gradients)
    if (g.extents()[0] == 1)
      for (const T v : g) largest_gate = std::max(largest_gate, std::abs(double(v)));
  for (std::size_t i = 0; i < ours.gradients.size(); ++i) {
    const auto &a = ours.gradients[i], &b = expected.gradients[i];
    CAPTURE(i);
    const testing::closeness rule{.atol = b.extents()[0] == 1 ? relative * largest_gate : 0, .mtol = relative};
    CHECK(testing::violation(a.data(), b.data(), b.size(), rule) == "");
  }
}
template <class T>
bool same_bits(const outcome<T>& a, const outcome<T>& b) {
  bool same = a.loss == b.loss && a.gradients.size() == b.gradients.size();
  for (std::size_t i = 0; same && i < a.gradients.size(); ++i)
    same =
        std::memcmp(a.gradients[i].data(), b.gradients[i].data(), std::size_t(a.gradients[i].size()) * sizeof(T)) == 0;
  return same;
}

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
    const auto expected = run<double>(device, method, {pack_these(all, every)});
    check_close(run<double>(device, method, {pack_these(all, every, 1)}), expected, 1e-12);
    check_close(run<double>(device, method, {pack_these(all, every, 256)}), expected, 1e-12);
    check_close(run<double>(device, method, {pad(all)}), expected, 1e-12);
    const auto halves = run<double>(device, method, {pack_these(all, {0, 1, 2}), pack_these(all, {3, 4, 5})});
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
  check(peft::hydralora{.rank = 2, .losses = {.balance = 0.3}});
}

TEST_CASE("recomputation changes no bit") {
  cpu device(2);
  const auto all = examples();
  const std::vector<data::packed_batch> batches{pack_these(all, {0, 1, 2}), pack_these(all, {3, 4, 5})};
  const auto check = [&](const auto& method) {
    const auto expected = run<float>(device, method, batches, {.recompute = false, .recompute_cheap = false});
    for (const bool blocks : {false, true})
      for (const bool cheap : {false, true})
        for (const bool statistics : {false, true}) {
          CAPTURE(blocks);
          CAPTURE(cheap);
          CAPTURE(statistics);
          CHECK(same_bits(run<float>(device, method, batches,
                                     {.recompute = blocks, .recompute_cheap = cheap, .statistics = statistics}),
                          expected));
        }
  };
  check(lora);
  check(mixture);
  check(dense);
  check(sparse);
  check(peft::adamole{.experts = 4, .rank = 2});
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
    for (const auto* p : set.parameters()) out.insert(out.end(), p->value.begin(), p->value.end());
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
      const float* gradient = v.of->gradient.data() + (v.values.data - v.of->value.data());
      return std::any_of(gradient, gradient + v.values.size(), [](float g) { return g != 0; });
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
    resumed.optimizer().restore(1, {moments.begin(), moments.end()});
    CHECK(resumed.step(batches, {}, 1).loss == two);
  };
  check(peft::lora{.rank = 4, .alpha = 8, .dropout = 0.25});
  check(peft::sira{.experts = 4, .rank = 2, .k = 2, .gate_dropout = 0.25});
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
    for (const auto* p : set.parameters()) out.insert(out.end(), p->value.begin(), p->value.end());
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
  a.set.parameters().back()->value[0] = std::numeric_limits<float>::quiet_NaN();
  const auto broken = values(a.set);
  CHECK_THROWS_WITH_AS(first.step(good, felt.matrix(), 1), doctest::Contains("the gradient norm is"), error);
  CHECK(std::memcmp(values(a.set).data(), broken.data(), broken.size() * sizeof(float)) == 0);
}

namespace {

/// The CPU with an account of its memory, which runs out at a given request.
struct counting_cpu : cpu {
  using cpu::cpu;
  long live = 0, requests = 0, fails_at = -1;

  void* allocate(std::size_t bytes) {
    if (requests++ == fails_at) throw std::bad_alloc();
    void* p = cpu::allocate(bytes);
    ++live;
    return p;
  }
  void deallocate(void* p) {
    live -= p != nullptr;
    cpu::deallocate(p);
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
    context.intuition = t.input<float>(felt.matrix());
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
