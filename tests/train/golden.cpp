// Thirty optimiser steps of a tiny llama against PEFT and a plain float64 computation.
#include "mor1e/testing/golden.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/outputs.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/optim/schedule.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/train/trainer.hpp"
#include "tested_device.hpp"

using namespace mor1e;

namespace {

const std::filesystem::path folder = testing::golden_folder() / "train";

struct tolerances {
  testing::closeness loss, gradient, adapter, logits;
};
const tolerances exact{{.mtol = 1e-10}, {.mtol = 1e-10}, {.mtol = 1e-10}, {.mtol = 1e-10}};
// In float a gate's gradient is a sum that cancels, and Adam divides what is left of such sums by their own size: the
// worst of these are 3e-5 and, after thirty steps, 6e-5 of the largest.
const tolerances single{{.mtol = 1e-6}, {.mtol = 1e-4}, {.mtol = 2e-4}, {.mtol = 1e-5}};

template <class Values, class Reference>
void check_close(const Values& ours, const Reference& expected, testing::closeness rule, const std::string& what) {
  CAPTURE(what);
  REQUIRE(index_t(ours.size()) == expected.size());
  CHECK(testing::violation(&ours[0], expected.data(), expected.size(), rule) == "");
}

/// The method of a run; nothing if we do not have it.
std::optional<peft::any_method> method_of(const nlohmann::json& run, const nlohmann::json& facts) {
  const std::string kind = run.at("kind");
  if (kind == "lora" || kind == "rslora")
    return peft::lora{.rank = run.at("r"), .alpha = run.at("alpha"), .rank_stabilised = kind == "rslora"};
  if (kind == "dora") return peft::dora{.rank = run.at("r"), .alpha = run.at("alpha")};
  if (kind == "mor1e")
    return peft::mor1e{
        .experts = facts.at("experts"), .c_token = facts.at("c_token"), .c_intuition = facts.at("c_intuition")};
  return {};
}

/// Matrix i of a stack [..., rows, cols].
template <class T>
view<const T> slice(const tensor<T>& stack, index_t i) {
  const shape& e = stack.extents();
  const index_t rows = e[e.rank() - 2], cols = e[e.rank() - 1];
  return {stack.data() + i * rows * cols, rows, cols};
}

/// The micro-batches of each step: instance numbers count through a step, and the buckets leave dead rows.
std::vector<std::vector<data::packed_batch>> batches_of(const io::safetensors_file& file,
                                                        const std::string& labels_name) {
  const auto ids = file.read<std::int32_t>("input_ids"), labels = file.read<std::int32_t>(labels_name);
  const index_t steps = ids.extents()[0], parts = ids.extents()[1], rows = ids.extents()[2], length = ids.extents()[3];
  std::vector<std::vector<data::packed_batch>> out;
  for (index_t step = 0; step < steps; ++step) {
    out.emplace_back();
    for (index_t part = 0; part < parts; ++part) {
      std::vector<data::encoded_example> examples;
      for (index_t b = 0; b < rows; ++b) {
        const auto id = slice(ids, step * parts + part).row(b), label = slice(labels, step * parts + part).row(b);
        index_t first = 1;  // the first token is predicted from nothing
        while (first < length && label[first] < 0) ++first;
        for (index_t i = first; i < length; ++i) REQUIRE(label[i] == id[i]);
        examples.push_back({text(step, "/", part, "/", b), {id, id + length}, first, part * rows + b});
      }
      auto packed = data::pack(examples, {.tokens = 64, .row_bucket = 16, .segment_bucket = 4, .answer_bucket = 8});
      REQUIRE(packed.size() == 1);
      REQUIRE(packed[0].live_rows < packed[0].rows());
      out.back().push_back(std::move(packed[0]));
    }
  }
  return out;
}

/// "lora_A.weight" of a view is "lora_A" in the fixtures of our own method, and a magnitude has ".weight" inside PEFT.
template <class B, class T>
std::string fixture_name(const io::safetensors_file& golden, const peft::parameter_view<B, T>& v) {
  for (const std::string& name : {v.name, v.name + ".weight"})
    if (golden.find("init." + name)) return name;
  return v.name.substr(0, v.name.rfind(".weight"));
}

/// Every tensor `prefix`name of the fixture against the values, or the gradients, of the parameters; none is left over.
template <class B, class T>
void check_parameters(const io::safetensors_file& golden, peft::adapter_set<B, T>& set, const std::string& prefix,
                      bool gradients, testing::closeness rule) {
  std::size_t met = 0;
  for (const auto& v : set.views()) {
    const tensor<double> expected = golden.read<double>(prefix + fixture_name(golden, v));
    const tensor<T> ours = gradients ? v.read_gradient() : v.read();
    REQUIRE(v.extents.size() == expected.size());
    CAPTURE(v.name);
    CHECK_MESSAGE(testing::violation(ours.data(), expected.data(), expected.size(), rule) == "", prefix);
    ++met;
  }
  std::size_t stored = 0;
  for (const auto& entry : golden.entries()) stored += entry.name.starts_with(prefix);
  CHECK(met == stored);
}

template <class B, class T>
tensor<T> probe_logits(B& device, models::language_model<B, T>& model, const io::safetensors_file& batches,
                       bool mixture) {
  models::padded_batch probe;
  probe.input_ids = batches.read<std::int32_t>("probe_ids");
  probe.lengths.assign(std::size_t(probe.sequences()), probe.length());
  const tensor<T> intuition = batches.read<T>("probe_intuition");
  return models::outputs_of<B, T>(device, model, probe, mixture ? intuition.matrix() : view<const T>{}).logits;
}

template <class B, class T>
void check_run(const std::string& name, const nlohmann::json& facts, const std::string& golden_name,
               const tolerances& close) {
  const nlohmann::json& run = facts.at("runs").at(name);
  const bool mixture = run.at("kind") == "mor1e";
  const io::safetensors_file golden(folder / name / golden_name), data(folder / "batches.safetensors");
  B device(testing::tested_options);
  const auto model = models::load<B, T>(device, (folder / "base").string());
  auto set = peft::attach<B, T>(model->groups(), peft::adapter_spec{.method = *method_of(run, facts)});
  CHECK(set.parameter_count() == run.at("f64").at("trainable").get<index_t>());
  for (auto& v : set.views()) v.write(golden.read<T>("init." + fixture_name(golden, v)));
  check_close(probe_logits(device, *model, data, mixture), golden.read<double>("probe_logits_before"), close.logits,
              "logits before");

  const train::trainer_options options{.adam = {.learning_rate = facts.at("lr"),
                                                .beta1 = facts.at("betas")[0],
                                                .beta2 = facts.at("betas")[1],
                                                .epsilon = facts.at("eps"),
                                                .weight_decay = run.at("weight_decay")},
                                       .clip = facts.at("clip"),
                                       .program = {.clusters = mixture ? facts.at("experts").get<index_t>() : 0}};
  train::trainer<B, T> trainer(device, *model, set.parameters(), options);
  const auto steps = batches_of(data, run.at("labels"));
  const tensor<T> intuition = data.read<T>("intuition");
  const index_t sequences = intuition.extents()[1] * intuition.extents()[2];

  // Over micro-batches of unequal numbers of targets the mean of their means is not the mean over the step.
  const bool mean_of_means = name.find("unequal_mean") != std::string::npos;
  const auto accumulate = [&](const auto& batches, view<const T> felt, double all_targets) {
    for (auto* p : set.parameters()) p->clear_gradient();
    double loss = 0;
    for (const auto& batch : batches) {
      const double scale =
          mean_of_means ? 1.0 / double(batch.live_targets) / double(batches.size()) : 1.0 / all_targets;
      loss += trainer.programs().prepare(batch, felt, scale).run();
    }
    return loss;
  };

  std::vector<double> losses, norms, rates;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& batches = steps[i];
    const view<const T> felt(intuition.data() + index_t(i) * sequences * intuition.extents()[3], sequences,
                             intuition.extents()[3]);
    const double factor = optim::cosine_with_warmup(std::int64_t(i), facts.at("warmup"), facts.at("steps"));
    rates.push_back(factor * options.adam.learning_rate);
    double targets = 0;
    for (const auto& batch : batches) targets += double(batch.live_targets);
    if (i == 7) {
      accumulate(batches, felt, targets);
      check_parameters(golden, set, "grad_step7.", true, close.gradient);
    }
    if (mean_of_means) {
      losses.push_back(accumulate(batches, felt, targets));
      norms.push_back(optim::clip_gradients(trainer.parameters(), options.clip));
      trainer.optimizer().step(factor);
    } else {
      const train::step_report report = trainer.step(batches, felt, factor);
      CHECK(double(report.targets) == targets);
      losses.push_back(report.loss);
      norms.push_back(report.gradient_norm);
    }
  }
  check_close(losses, golden.read<double>("loss"), close.loss, "loss");
  check_close(norms, golden.read<double>("grad_norm"), close.gradient, "gradient norm");
  check_close(rates, golden.read<double>("lr"), {.atol = 1e-15}, "learning rate");
  check_parameters(golden, set, "final.", false, close.adapter);
  check_close(probe_logits(device, *model, data, mixture), golden.read<double>("probe_logits_after"), close.logits,
              "logits after");
}

template <class B, class T>
void check_all(const std::string& golden_name, const tolerances& close) {
  const nlohmann::json facts = io::read_json(folder / "train.json");
  int ran = 0;
  for (const auto& item : facts.at("runs").items()) {
    const std::string name = item.key();
    CAPTURE(name);
    if (!method_of(item.value(), facts)) {
      MESSAGE("unsupported: " << name);
    } else if (!std::filesystem::exists(folder / name)) {
      MESSAGE("not in this folder: " << name);
    } else {
      check_run<B, T>(name, facts, golden_name, close);
      ++ran;
    }
  }
  CHECK(ran > 0);
  MESSAGE(ran << " runs of " << facts.at("runs").size());
}

}  // namespace

TEST_CASE("training in float") { check_all<testing::tested_device, float>("golden_f32.safetensors", single); }

#ifndef MOR1E_TEST_CUDA
TEST_CASE("training in double") { check_all<cpu, double>("golden_f64.safetensors", exact); }
#endif

TEST_CASE("folders that PEFT wrote") {
  const nlohmann::json facts = io::read_json(folder / "train.json");
  const io::safetensors_file data(folder / "batches.safetensors");
  testing::tested_device device(testing::tested_options);
  const auto model = models::load<testing::tested_device, float>(device, (folder / "base").string());
  int loaded = 0;
  for (const auto& item : facts.at("runs").items())
    for (const std::string when : {"before", "after"}) {
      const std::filesystem::path at = folder / item.key() / ("adapter_" + when);
      if (!std::filesystem::exists(at)) continue;
      CAPTURE(at.string());
      if (!method_of(item.value(), facts)) {
        // Refused by name, not loaded as something else.
        const std::string key = item.key() == "dora" ? "'use_dora'" : "peft_type";
        CHECK_THROWS_WITH_AS(peft::load_adapter(*model, at), doctest::Contains(key.c_str()), io_error);
        continue;
      }
      const io::safetensors_file golden(folder / item.key() / "golden_f32.safetensors");
      auto adapter = peft::load_adapter(*model, at);
      check_parameters(golden, adapter.set, when == "before" ? "init." : "final.", false, {});
      check_close(probe_logits(device, *model, data, false), golden.read<double>("probe_logits_" + when), single.logits,
                  "logits");
      CHECK(adapter.record.base_model == "base");
      ++loaded;
    }
  CHECK(loaded >= 2);
}
