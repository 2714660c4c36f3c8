// One training step of a small model with a method on it, laid out in any way: its loss and gradients.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/models/batch.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/peft/methods/lora.hpp"
#include "mor1e/peft/methods/molora.hpp"
#include "mor1e/peft/methods/mor1e.hpp"
#include "mor1e/peft/methods/sira.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"
#include "mor1e/train/trainer.hpp"

namespace mor1e::testing::small_step {

inline constexpr int vocabulary = 97, clusters = 6;
inline const peft::lora lora{.rank = 4, .alpha = 8};
inline const peft::mor1e mixture{.experts = clusters};
// With losses that are sums over tokens, or over those of an instance: no split shows in them.
inline const peft::molora dense{.experts = 4, .rank = 2, .losses = {.z = 0.05, .entropy = 0.2}};
inline const peft::sira sparse{.experts = 4,
                               .rank = 2,
                               .k = 2,
                               .capacity = 0.75,
                               .gate_dropout = 0,
                               .losses = {.gshard = 0.5, .balance = 0.3, .variation = 0.2}};

template <class T, class B>
auto load_base(B& device) {
  return models::load<B, T>(device, (golden_folder() / "train" / "base").string());
}

/// Prompts and answers of different lengths; a prompt of one token and an answer of one among them.
inline std::vector<data::encoded_example> examples() {
  const std::vector<std::pair<index_t, index_t>> lengths{{5, 2}, {1, 7}, {17, 1}, {9, 3}, {2, 1}, {12, 4}};
  std::vector<data::encoded_example> out;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto [prompt, answer] = lengths[i];
    data::encoded_example e{std::to_string(i), {}, prompt, index_t(i), std::int32_t(i % 2)};
    for (index_t j = 0; j < prompt + answer; ++j)
      e.ids.push_back(std::int32_t(uniform<double>(stream_key(4, i), std::uint64_t(j)) * vocabulary));
    out.push_back(std::move(e));
  }
  return out;
}
template <class T>
tensor<T> intuition() {
  return random<T>(shape{6, clusters}, 5);
}

inline data::packed_batch pack_these(const std::vector<data::encoded_example>& all, const std::vector<index_t>& which,
                                     index_t bucket = 16) {
  auto packed = data::pack(all, which, {.row_bucket = bucket, .segment_bucket = 4, .answer_bucket = 4});
  REQUIRE(packed.size() == 1);
  return std::move(packed[0]);
}

/// Rows of one length: behind each sequence tokens of padding, which are in no segment.
inline data::packed_batch pad(const std::vector<data::encoded_example>& all) {
  std::size_t length = 0;
  for (const auto& e : all) length = std::max(length, e.ids.size());
  data::packed_batch out;
  for (const auto& e : all) {
    const auto begin = std::int32_t(out.tokens.size()), end = begin + std::int32_t(e.ids.size());
    out.segments.push_back({begin, end, begin, 0, 0});
    out.types.push_back(e.type);
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
        const tensor<T> values = random<T>(v.extents, ++key, -size, size);
        v.write(values);
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
               train::program_options program = {}, distributed::process_group& processes = distributed::alone()) {
  adapted<T, Method> with(device, method);
  program.clusters = clusters_of(method);
  train::trainer<cpu, T> trainer(
      device, *with.model, with.set.parameters(),
      {.adam = {.learning_rate = 0}, .clip = 0, .program = program, .processes = &processes});
  outcome<T> out;
  const tensor<T> intuition_rows = intuition<T>();
  out.loss = trainer.step(batches, intuition_rows.matrix(), 1).loss;
  for (const auto* p : with.set.parameters()) out.gradients.push_back(p->read_gradient());
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
    const closeness rule{.atol = b.extents()[0] == 1 ? relative * largest_gate : 0, .mtol = relative};
    CHECK(violation(a.data(), b.data(), b.size(), rule) == "");
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

}  // namespace mor1e::testing::small_step
