// Adapters folded into their base: the same model, PEFT's own numbers, and back.
#include "mor1e/peft/merge.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/models/outputs.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;

namespace {

const std::filesystem::path folder = testing::golden_folder() / "train";
constexpr index_t clusters = 6;

auto load_base(cpu& device) { return models::load<cpu, float>(device, (folder / "base").string()); }

models::padded_batch probe_of(const io::safetensors_file& batches) {
  models::padded_batch probe;
  probe.input_ids = batches.read<std::int32_t>("probe_ids");
  probe.lengths.assign(std::size_t(probe.sequences()), probe.length());
  return probe;
}

template <class Model>
tensor<float> logits_of(cpu& device, Model& model, const tensor<float>& intuition = {}) {
  const io::safetensors_file batches(folder / "batches.safetensors");
  return models::outputs_of<cpu, float>(device, model, probe_of(batches), intuition.matrix()).logits;
}

std::string difference(const tensor<float>& a, const tensor<float>& b, double tolerance) {
  REQUIRE(a.size() == b.size());
  return testing::violation(a.data(), b.data(), b.size(), {.atol = tolerance, .rtol = tolerance});
}

bool same_bits(const tensor<float>& a, const tensor<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), std::size_t(a.size()) * sizeof(float)) == 0;
}

void randomise(peft::adapter_set<cpu, float>& set) {
  std::uint64_t key = 70;
  for (auto& v : set.views()) {
    if (v.name.ends_with("lora_magnitude_vector")) continue;
    const float size = v.name.find(".gate_") != std::string::npos ? 0.01f : 0.3f;
    const tensor<float> values = testing::random<float>(v.extents, ++key, -size, size);
    v.write(values);
  }
}

/// One row for each sequence of the probe, all the same.
tensor<float> intuition_rows(const tensor<float>& one) {
  tensor<float> out(shape{2, clusters});
  for (index_t i = 0; i < out.size(); ++i) out[i] = one[i % clusters];
  return out;
}

}  // namespace

TEST_CASE("merged weights and logits are PEFT's, and survive the way to disk") {
  cpu device(2);
  const testing::temporary_folder scratch;
  int ran = 0;
  for (const char* name : {"lora", "rslora", "dora"}) {
    if (!std::filesystem::exists(folder / name / "adapter_after")) continue;
    CAPTURE(name);
    const io::safetensors_file golden(folder / name / "golden_f32.safetensors");
    auto from = std::make_shared<io::checkpoint>(io::open_checkpoint(folder / "base"));
    const auto model = load_base(device);
    const tensor<float> base = logits_of(device, *model);
    auto adapter = peft::load_adapter(*model, folder / name / "adapter_after");
    const tensor<float> adapted = logits_of(device, *model);
    {
      const peft::merged_adapters<cpu, float> merged(device, adapter.set);
      for (auto* g : model->groups()) CHECK(g->attached() == nullptr);
      const auto* q = merged.weights().at("model.layers.0.self_attn.q_proj.weight");
      const tensor<float> expected = golden.read<float>("merged.q_proj.0");
      REQUIRE(q->values().values().size() == expected.size());
      CHECK(testing::violation(q->values().values().data, expected.data(), expected.size(), {.mtol = 1e-5}) == "");
      CHECK(difference(logits_of(device, *model), golden.read<float>("probe_logits_merged"), 1e-4) == "");
      peft::save_merged(scratch / name, *from, merged);
    }
    // Back, bit for bit: with the adapters, and without.
    CHECK(same_bits(logits_of(device, *model), adapted));
    adapter.set.detach();
    CHECK(same_bits(logits_of(device, *model), base));
    CHECK_FALSE(same_bits(base, adapted));

    const auto reloaded = models::load<cpu, float>(device, (scratch / name).string());
    CHECK(difference(logits_of(device, *reloaded), golden.read<float>("probe_logits_merged"), 1e-4) == "");
    ++ran;
  }
  CHECK(ran >= 2);
}

TEST_CASE("a mixture is folded for one intuition, if it has no router") {
  cpu device(2);
  const tensor<float> one = testing::random<float>(shape{1, clusters}, 3, 0, 1), rows = intuition_rows(one);
  const peft::fold_options<float> options{.intuition = one.matrix()},
      without{.intuition = one.matrix(), .drop_router = true};
  const auto check = [&](const auto& method) {
    const auto model = load_base(device);
    auto set = peft::attach(*model, method, 5);
    randomise(set);
    const tensor<float> base = logits_of(device, *load_base(device)), adapted = logits_of(device, *model, rows);
    CHECK(difference(base, adapted, 1e-2) != "");
    auto bare = method;
    bare.router = false;
    const auto other = load_base(device);
    auto other_set = peft::attach(*other, bare, 5);
    for (auto& v : other_set.views())
      for (auto& from : set.views())
        if (v.name == from.name) v.write(from.read());
    const tensor<float> expected = logits_of(device, *other, rows);
    {
      const peft::merged_adapters<cpu, float> merged(device, other_set, options);
      CHECK(difference(logits_of(device, *other), expected, 2e-4) == "");
    }
    CHECK_THROWS_WITH_AS((peft::merged_adapters<cpu, float>(device, other_set)), doctest::Contains("say of which"),
                         value_error);
    CHECK_THROWS_WITH_AS((peft::merged_adapters<cpu, float>(device, set, options)),
                         doctest::Contains("the router weighs the experts anew"), value_error);
    CHECK(same_bits(logits_of(device, *model, rows), adapted));
    const peft::merged_adapters<cpu, float> merged(device, set, without);
    CHECK(difference(logits_of(device, *model), expected, 2e-4) == "");
  };
  check(peft::mor1e{.experts = int(clusters)});
  check(peft::mor1e{.experts = 4, .router_bias = true, .clusters = int(clusters)});
  check(peft::mor1e{.experts = int(clusters), .low_rank_router = true});
  check(peft::mix_and_match{.r1 = 2, .r2 = 3});
  check(peft::mix_and_match{.r1 = 3, .r2 = 4, .factorised = true, .clusters = int(clusters)});
}

TEST_CASE("linears that are not targeted are not in the merged ones") {
  cpu device(1);
  const auto model = load_base(device);
  auto set = peft::attach(*model, peft::dora{.rank = 2}, 1, {"k_proj", "up_proj"});
  randomise(set);
  const tensor<float> adapted = logits_of(device, *model);
  const peft::merged_adapters<cpu, float> merged(device, set);
  CHECK(merged.weights().size() == 4);
  for (const auto& [name, weight] : merged.weights())
    CHECK_MESSAGE((name.ends_with("k_proj.weight") || name.ends_with("up_proj.weight")), name);
  CHECK(difference(logits_of(device, *model), adapted, 2e-4) == "");
}
