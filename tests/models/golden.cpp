// Decoders and encoders against an independent implementation: outputs, loss, every gradient, greedy generation.
#include <doctest/doctest.h>

#include "models/fixture.hpp"
#include "mor1e/mor1e.hpp"
#include "tested_device.hpp"

using namespace mor1e;
using namespace mor1e::models;
using mor1e::testing::closeness;
using mor1e::testing::compare;
using mor1e::testing::for_each_fixture;
using mor1e::testing::tested_device;
using mor1e::testing::tested_options;

namespace {

constexpr closeness values{.atol = 1e-4, .rtol = 1e-4, .mtol = 1e-5};
constexpr closeness gradients{.atol = 1e-4, .rtol = 1e-4, .mtol = 2e-4};

template <class T>
tensor<T> scalar(double value) {
  return tensor<T>(shape{1}, T(value));
}

template <class B, class T>
void compare_outputs(B& device, const std::filesystem::path& folder) {
  const auto model = load<B, T>(device, folder.string());
  const io::safetensors_file golden(folder / "golden.safetensors");
  const auto out = outputs_of(device, *model, read_padded_batch(golden));
  compare(golden, "logits", out.logits, values);
  REQUIRE(index_t(out.hidden.size()) == model->layers() + 1);
  for (std::size_t i = 0; i < out.hidden.size(); ++i) compare(golden, text("hidden.", i), out.hidden[i], values);
  CHECK(golden.find(text("hidden.", out.hidden.size())) == nullptr);
  compare(golden, "hidden.final", out.hidden_final, values);
  compare(golden, "loss", scalar<T>(out.loss.value()), values);
}

template <class B, class T>
void compare_gradients(B& device, const std::filesystem::path& folder) {
  const auto model = load<B, T>(device, folder.string(), {.trainable = true});
  const io::safetensors_file golden(folder / "golden.safetensors"), grads(folder / "grads.safetensors");
  const padded_batch batch = read_padded_batch(golden);
  tape<B> t(device);
  auto step = place_batch<B, T>(t, pack(batch), limits_of(*model));
  std::vector<var<T>> hidden;
  step.observers.hidden = &hidden;
  const var<T> loss = model->loss(t, step).loss;
  t.watch(hidden.front());
  t.backward(loss);
  compare(golden, "loss", t.read(loss), values);
  compare(golden, "grad.hidden.0", unpack(t.gradient(hidden.front()), batch), gradients);
  const auto parameters = model->parameters();
  CHECK(parameters.size() == grads.entries().size());
  for (const auto* p : parameters) compare(grads, p->name, p->read_gradient(), gradients);
}

template <class B, class T>
void compare_generation(B& device, const std::filesystem::path& folder) {
  const auto model = load<B, T>(device, folder.string());
  const io::safetensors_file golden(folder / "golden.safetensors");
  const auto prompt = golden.read<std::int32_t>("gen.prompt"), expected = golden.read<std::int32_t>("gen.tokens");
  generation<B, T> text(device, *model, prompt.size() + expected.size());
  rng unused(0);
  tensor<T> logits(shape{expected.size(), model->vocabulary()}), next = text.push({prompt.begin(), prompt.end()});
  for (index_t i = 0; i < expected.size(); ++i) {
    std::copy(next.begin(), next.end(), logits.data() + i * next.size());
    const std::int32_t token = choose_token(next, {}, unused);
    CHECK(token == expected[i]);
    next = text.push({&token, 1});
  }
  CHECK(text.length() == text.capacity());
  compare(golden, "gen.logits", logits, values);
}

template <class B, class T>
void compare_encoder(B& device, const std::filesystem::path& folder) {
  constexpr closeness close{.atol = 5e-5};
  const io::safetensors_file golden(folder / "golden.safetensors");
  const auto out = outputs_of(device, *load_encoder<B, T>(device, folder.string()), read_padded_batch(golden));
  compare(golden, "last_hidden_state", out.last_hidden_state, close);
  compare(golden, "mean", out.mean, close);
  compare(golden, "embedding", out.embedding, close);
}

struct step_result {
  double loss;
  std::vector<tensor<float>> gradients;
};

template <class B, class Run>
step_result gradients_after(language_model<B, float>& model, Run run) {
  for (auto* p : model.parameters()) p->clear_gradient();
  step_result out{run(), {}};
  for (auto* p : model.parameters()) out.gradients.push_back(p->read_gradient());
  return out;
}

void check_equal(const step_result& a, const step_result& b) {
  CHECK(a.loss == b.loss);
  REQUIRE(a.gradients.size() == b.gradients.size());
  for (std::size_t i = 0; i < a.gradients.size(); ++i)
    CHECK(std::equal(a.gradients[i].begin(), a.gradients[i].end(), b.gradients[i].begin(), b.gradients[i].end()));
}

/// One step as it is taken, then planned, in all ways of recomputing, and twice in the same memory.
template <class B>
void compare_plans(B& device, const std::filesystem::path& folder) {
  const auto model = load<B, float>(device, folder.string(), {.trainable = true});
  const auto batch = pack(read_padded_batch(io::safetensors_file(folder / "golden.safetensors")));
  const auto eager = gradients_after(*model, [&] {
    tape<B> t(device);
    auto step = place_batch<B, float>(t, batch, limits_of(*model));
    const auto loss = model->loss(t, step).loss;
    t.backward(loss);
    return t.read(loss)[0];
  });
  std::size_t bytes[2][2];
  for (const bool recompute : {false, true})
    for (const bool recompute_cheap : {false, true}) {
      CAPTURE(recompute);
      CAPTURE(recompute_cheap);
      tape<B> t(device, recording::plan);
      auto step = declare_batch<B, float>(t, size_of(batch));
      step.mode.recompute = recompute;
      const auto loss = model->loss(t, step).loss;
      plan<B> planned(std::move(t), loss, true, recompute_cheap);
      slab<B> memory(device);
      memory.reserve(planned.bytes());
      planned.bind(memory.data());
      bytes[recompute][recompute_cheap] = planned.bytes();
      for (int again = 0; again < 2; ++again) {
        fill_batch(planned, step, batch, limits_of(*model), batch.instances,
                   {.loss = 1.0 / double(batch.live_targets)});
        check_equal(eager, gradients_after(*model, [&] {
                      planned.run();
                      return planned.read_scalar(loss);
                    }));
      }
    }
  CHECK(bytes[1][0] < bytes[0][0]);
  CHECK(bytes[0][1] < bytes[0][0]);
}

}  // namespace

TEST_CASE("decoders: logits, hidden states and loss") {
  tested_device device(tested_options);
  for_each_fixture("models", [&](const auto& folder) { compare_outputs<tested_device, float>(device, folder); });
}

TEST_CASE("decoders: the gradient of every parameter") {
  tested_device device(tested_options);
  for_each_fixture("models", [&](const auto& folder) { compare_gradients<tested_device, float>(device, folder); });
}

TEST_CASE("decoders: greedy generation with a cache of keys and values") {
  tested_device device(tested_options);
  for_each_fixture("models", [&](const auto& folder) { compare_generation<tested_device, float>(device, folder); });
}

TEST_CASE("decoders: a planned step has the bits of the eager one, with and without recomputation") {
  tested_device device(tested_options);
  for_each_fixture("models", [&](const auto& folder) { compare_plans(device, folder); });
}

TEST_CASE("encoders: hidden states, mean, embedding") {
  tested_device device(tested_options);
  for_each_fixture("encoders", [&](const auto& folder) { compare_encoder<tested_device, float>(device, folder); });
}

#ifndef MOR1E_TEST_CUDA
TEST_CASE("decoders and encoders in double: outputs, loss, gradients") {
  reference plain;
  for_each_fixture("models", [&](const auto& folder) {
    compare_outputs<reference, double>(plain, folder);
    compare_gradients<reference, double>(plain, folder);
  });
  for_each_fixture("encoders", [&](const auto& folder) { compare_encoder<reference, double>(plain, folder); });
}
#endif
