// Mixtures of LoRA experts on one linear against references in double: outputs, gradients, routing, auxiliary losses.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/peft/methods/molora.hpp"
#include "mor1e/peft/methods/sira.hpp"
#include "mor1e/testing/golden.hpp"
#include "peft/fixture_linear.hpp"
#include "tested_device.hpp"

using namespace mor1e;

namespace {

const std::filesystem::path folder = testing::golden_folder() / "adapters";

using method = std::variant<peft::molora, peft::sira>;

/// The method of a case; nothing for those of other tests.
std::optional<method> method_of(const nlohmann::json& facts) {
  const std::string name = facts.at("method");
  if (name != "molora" && name != "sira" && name != "sira_release") return {};
  const int experts = facts.at("experts"), rank = facts.at("r");
  const double alpha = facts.at("scale").get<double>() * rank;
  const auto order = facts.at("order") == "tiled" ? peft::slot_order::tiled : peft::slot_order::block;
  if (name == "molora") return peft::molora{.experts = experts, .rank = rank, .alpha = alpha, .order = order};
  if (name == "sira_release") {
    CHECK(peft::sira::release() == peft::sira{.experts = experts,
                                              .rank = rank,
                                              .k = facts.at("k"),
                                              .alpha = 0,
                                              .capacity = 0,
                                              .renorm = peft::renormalise::none,
                                              .order = order,
                                              .gate_dropout = 0,
                                              .start_of_router = peft::start::zero,
                                              .losses = {}});
    return peft::sira::release();
  }
  const auto renorm = facts.at("renorm") == "topk" ? peft::renormalise::topk : peft::renormalise::after_capacity;
  return peft::sira{.experts = experts,
                    .rank = rank,
                    .k = facts.at("k"),
                    .alpha = alpha,
                    .capacity = facts.at("capacity_factor"),
                    .renorm = renorm,
                    .group = peft::token_group::batch,
                    .order = order,
                    .gate_dropout = 0,
                    .losses = {.gshard = 1}};
}

std::string fixture_name(const std::string& name) {
  return name.ends_with(".router.weight") ? "router" : name.ends_with(".lora_A.weight") ? "lora_A" : "lora_B";
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
  REQUIRE(set.views().size() == 3);
  for (const auto& v : set.views()) {
    const tensor<T> values = read(fixture_name(v.name).c_str());
    REQUIRE(values.size() == v.extents.size());
    v.write(values);
  }

  const tensor<T> x = read("x"), dy = read("dy");
  const index_t length = x.extents()[1], rows = x.extents()[0] * length;
  tensor<std::int32_t> of(shape{rows, 1}), mask(shape{rows, 1}, 1);
  if (file.find("attention_mask")) mask = file.read<std::int32_t>("attention_mask");
  for (index_t i = 0; i < rows; ++i) of[i] = mask[i] ? std::int32_t(i / length) : -1;
  const T share = 1 / T(std::count(mask.begin(), mask.end(), 1));

  struct pass {
    tape<B> t;
    nn::step_context<B, T> step;
    var<T> x;
  };
  const auto begin = [&](recording how) {
    pass p{tape<B>(device, how), {}, {}};
    p.step.batch.instances = p.t.template input<std::int32_t>(std::as_const(of).matrix());
    p.step.batch.token_scale = p.t.template input<T>(view<const T>(&share, 1, 1));
    p.step.mode.training = true;
    p.x = p.t.template input<T>(x.matrix(), how == recording::gradients);
    return p;
  };
  const auto check_gradients = [&](pass& p, const std::string& prefix, bool router_alone) {
    close(p.t.gradient(p.x).matrix(), prefix + "x");
    for (const auto& v : set.views()) {
      const tensor<T> gradient = v.read_gradient();
      const std::string name = fixture_name(v.name);
      if (!router_alone || name == "router")
        close(gradient.matrix(), prefix + name);
      else
        CHECK_MESSAGE(std::all_of(gradient.begin(), gradient.end(), [](T g) { return g == 0; }), name);
    }
  };

  {
    pass p = begin(recording::gradients);
    const var<T> y = group.forward(p.t, p.x, p.step);
    p.t.keep(y);
    p.t.backward(y, dy.matrix());
    close(p.t.read(y).matrix(), "y");
    check_gradients(p, "grad.", false);
  }
  if constexpr (requires { method.renorm; }) {
    if (!file.find("aux_loss")) return;
    for (auto* parameter : set.parameters()) parameter->clear_gradient();
    pass p = begin(recording::gradients);
    group.forward(p.t, p.x, p.step);
    REQUIRE(p.step.auxiliary_losses.size() == 1);
    const var<T> loss = p.step.auxiliary_losses.front().loss;
    p.t.backward(loss);
    close(p.t.read(loss).matrix(), "aux_loss");
    check_gradients(p, "aux.grad.", true);

    pass again = begin(recording::forward);
    const tensor<T> router = read("router");
    const var<T> logits = ops::linear(again.t, again.x, again.t.template input<T>(router));
    peft::adapter_context<B, T> context(again.step);
    close(again.t.read(method.weights(again.t, logits, context)).matrix(), "gate_weights");
    const var<T> chosen = ops::top_k_mask(again.t, logits, again.step.batch.instances, method.k);
    const var<T> kept =
        ops::capacity_mask(again.t, {method.k, method.capacity, method.group}, chosen, again.step.batch.instances);
    const auto column_sums = [&](var<T> v) {
      const tensor<T> values = again.t.read(v);
      tensor<T> out(shape{1, v.cols}, T(0));
      for (index_t i = 0; i < values.size(); ++i) out[i % v.cols] += values[i];
      return out;
    };
    close(column_sums(chosen).matrix(), "expert_counts");
    close(column_sums(kept).matrix(), "expert_kept");
  }
}

/// All cases of the folder that are of these methods.
template <class T, class B>
void check_all(B& device, testing::closeness rule) {
  int ran = 0, of_ours = 0;
  const nlohmann::json cases = io::read_json(folder / "cases.json");
  for (const auto& item : cases.items()) {
    const std::string name = item.key();
    const std::filesystem::path path = folder / (name + ".safetensors");
    const auto method = method_of(item.value());
    of_ours += method.has_value();
    if (!method || !std::filesystem::exists(path)) continue;
    CAPTURE(name);
    std::visit([&](const auto& m) { check<T>(device, io::safetensors_file(path), m, rule); }, *method);
    ++ran;
  }
  CHECK(ran > 0);
  MESSAGE(ran << " cases of " << of_ours);
}

}  // namespace

TEST_CASE("mixtures on one linear: float") {
  testing::tested_device device(testing::tested_options);
  check_all<float>(device, {.mtol = 1e-5});
}
#ifndef MOR1E_TEST_CUDA
TEST_CASE("mixtures on one linear: reference back end, double") {
  reference device;
  check_all<double>(device, {.atol = 1e-10});
}
TEST_CASE("mixtures on one linear: cpu back end, double") {
  cpu device(2);
  check_all<double>(device, {.atol = 1e-10});
}
#endif
