// Adapters on one linear against references in double: outputs, gradients and weights of the experts.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/testing/golden.hpp"
#include "peft/fixture_linear.hpp"
#include "tested_device.hpp"

using namespace mor1e;

namespace {

const std::filesystem::path folder = testing::golden_folder() / "adapters";

/// The method of a case; nothing if we do not have it.
std::optional<peft::any_method> method_of(const nlohmann::json& facts) {
  const std::string method = facts.at("method");
  if (method == "lora" || method == "rslora")
    return peft::lora{.rank = facts.at("r"), .alpha = facts.at("alpha"), .rank_stabilised = method == "rslora"};
  if (method == "dora") return peft::dora{.rank = facts.at("r"), .alpha = facts.at("alpha")};
  if (method == "mix")
    return peft::mix_and_match{.r1 = facts.at("r1"),
                               .r2 = facts.at("r2"),
                               .c_token = facts.at("c_token"),
                               .c_intuition = facts.at("c_intuition"),
                               .learned_gates = facts.at("preset") == "release",
                               .update_scale = facts.at("scale")};
  if (method != "mor1e") return {};
  return peft::mor1e{.experts = facts.at("experts"),
                     .c_token = facts.at("c_token"),
                     .c_intuition = facts.at("c_intuition"),
                     .learned_gates = facts.at("preset") == "release",
                     .router = facts.value("ablation", "") != "intuition_only",
                     .intuition = facts.value("ablation", "") != "rank1_only",
                     .update_scale = facts.at("scale"),
                     .router_bias = facts.value("router_bias", false),
                     .clusters = facts.value("clusters", 0),
                     .before = facts.value("intuition_position", "after") == "before"};
}

/// "linear.lora_A.weight" of a view is "lora_A" in the fixtures.
std::string fixture_name(std::string name) {
  name = name.substr(name.find('.') + 1);
  if (name == "router.bias") return "router_bias";
  if (name == "lora_magnitude_vector") return "magnitude";
  return name.substr(0, name.find('.'));
}

template <class T, class B, class Method>
void check(B& device, const io::safetensors_file& file, const Method& method, testing::closeness rule) {
  const auto read = [&](const char* name) { return file.read<T>(name); };
  const auto close = [&](const view<const T> ours, const std::string& name) {
    CAPTURE(name);
    const tensor<double> reference = file.read<double>(name);
    REQUIRE(ours.size() == reference.size());
    CHECK(testing::violation(ours.data, reference.data(), reference.size(), rule) == "");
  };

  nn::projection_group<B, T> group = testing::linear_of<B, T>(device, file);
  auto set = peft::attach(std::vector{&group}, method);
  std::vector<std::string> parameters;
  for (const auto& v : set.views()) {
    parameters.push_back(fixture_name(v.name));
    const tensor<T> values = file.read<T>(parameters.back());
    REQUIRE(values.size() == v.extents.size());
    v.write(values);
  }
  // Every parameter of the fixture has found its place.
  for (const auto& entry : file.entries())
    if (entry.name.starts_with("grad.") && entry.name != "grad.x" && entry.name != "grad.intuition")
      CHECK_MESSAGE(std::find(parameters.begin(), parameters.end(), entry.name.substr(5)) != parameters.end(),
                    entry.name);

  const tensor<T> x = read("x"), dy = read("dy");
  const index_t instances = x.extents()[0], length = x.extents()[1];
  tensor<std::int32_t> of(shape{instances * length, 1});
  for (index_t i = 0; i < of.size(); ++i) of[i] = std::int32_t(i / length);
  tape<B> t(device);
  nn::step_context<B, T> step;
  step.batch.instances = t.template input<std::int32_t>(of.matrix());
  if (file.find("intuition")) {
    const tensor<T> intuition = read("intuition");
    step.batch.intuition = t.template input<T>(intuition.matrix(), true);
  }
  const var<T> in = t.template input<T>(x.matrix(), true);
  const var<T> y = group.forward(t, in, step);
  t.keep(y);
  t.backward(y, dy.matrix());
  close(t.read(y).matrix(), "y");
  close(t.gradient(in).matrix(), "grad.x");
  if (step.batch.intuition) close(t.gradient(step.batch.intuition).matrix(), "grad.intuition");
  for (const auto& v : set.views()) {
    const tensor<T> gradient = v.read_gradient();
    close(gradient.matrix(), "grad." + fixture_name(v.name));
  }

  // Weights w of the experts: the gates of products that are all one, without the gate of the whole.
  if constexpr (requires { method.intuition; })
    if (file.find("slot_weights")) {
      // Of a mix the pairs are the experts.
      peft::mor1e bare;
      if constexpr (requires { method.pairs(); })
        bare = method.pairs();
      else
        bare = method;
      const auto& p = set.parameters();
      const index_t n = bare.experts;
      tape<B> again(device, recording::forward);
      peft::adapter_context<B, T> context;
      context.batch.instances = again.template input<std::int32_t>(of.matrix());
      const tensor<T> intuition = read("intuition");
      context.batch.intuition = again.template input<T>(intuition.matrix());
      std::vector<var<T>> extra;
      for (std::size_t i = 1; i < p.size(); ++i)
        if (!p[i]->name.ends_with("lora_B")) extra.push_back(again.use(*p[i]));
      var<T> bias = bare.bias(again, std::span<const var<T>>(extra));
      const std::span<const var<T>> extras(extra);
      tensor<T> values = again.read(method.prepare(
          again, ops::linear(again, again.template input<T>(x.matrix()), again.use(*p[0]), bias), 1, extras, context));
      for (index_t i = 0; i < values.extents().rows(); ++i) std::fill_n(values.matrix().row(i), n, T(1));
      const var<T> projected = again.input(values);
      tensor<T> weights = again.read(bare.gates(again, projected, 1, std::span<const var<T>>(extra), context));
      if (method.learned_gates) {
        const double b = read("gate_b")[0];
        for (T& w : weights) w = T(double(w) * (1 + std::exp(-100 * b)));
      }
      close(weights.matrix(), "slot_weights");
    }
}

/// All cases of the folder that we have a method for; the others by name.
template <class T, class B>
void check_all(B& device, testing::closeness rule) {
  const nlohmann::json cases = io::read_json(folder / "cases.json");
  int ran = 0, of_mixtures = 0;
  std::vector<std::string> absent;
  for (const auto& item : cases.items()) {
    const std::string name = item.key();
    const std::filesystem::path path = folder / (name + ".safetensors");
    const auto method = method_of(item.value());
    CAPTURE(name);
    if (!method) {  // golden_mixtures.cpp has these, and nobody others
      const std::string other = item.value().at("method");
      CHECK((other == "molora" || other == "sira" || other == "sira_release"));
      of_mixtures += std::filesystem::exists(path);
      continue;
    }
    if (!std::filesystem::exists(path)) {
      absent.push_back(name);
      continue;
    }
    // 1 - sigmoid(20) is 0 in float, and not so if it is taken as sigmoid(-20): the references are in double.
    testing::closeness at = rule;
    if (std::is_same_v<T, float> && name.find("saturated") != std::string::npos) at.atol = 3e-4;
    peft::built_in_methods::visit(*method, [&](const auto& m) { check<T>(device, io::safetensors_file(path), m, at); });
    ++ran;
  }
  for (const std::string& name : absent) MESSAGE("not in this folder: " << name);
  CHECK(ran > 0);
  // No file is left that no case speaks of.
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files += entry.path().extension() == ".safetensors";
  CHECK(ran + of_mixtures == files);
  MESSAGE(ran << " cases, " << of_mixtures << " of mixtures, of " << cases.size());
}

}  // namespace

TEST_CASE("adapters on one linear: float") {
  testing::tested_device device(testing::tested_options);
  check_all<float>(device, {.mtol = 1e-5});
}
#ifndef MOR1E_TEST_CUDA
TEST_CASE("adapters on one linear: reference back end, double") {
  reference device;
  check_all<double>(device, {.atol = 1e-10});
}
TEST_CASE("adapters on one linear: cpu back end, double") {
  cpu device(2);
  check_all<double>(device, {.atol = 1e-10});
}
#endif
