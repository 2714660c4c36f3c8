// Weights that stay as the file has them compute what decoded ones do.
#include <cstdlib>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "stored_rows.hpp"

using namespace mor1e;

namespace {

template <class B>
void check_primitives(B& device) {
  using backend::transpose;
  constexpr index_t outputs = 1500, inputs = 900, tokens = 37;  // two pieces of a million
  tensor<float> values(shape{outputs, inputs});
  rng random(7);
  for (float& v : values) v = float(random.normal());
  const auto rows = std::make_shared<testing::stored_rows>(std::move(values));
  const typename B::template frozen<float> stored(device, std::shared_ptr<const row_source<float>>(rows));
  const typename B::template frozen<float> decoded(device, rows->values().clone());
  REQUIRE(stored.is_stored());
  REQUIRE(stored.rows() == outputs);
  const auto both = [&](shape in, shape out, auto compute) {
    rng draw(1);
    tensor<float> x(in), a(out, 1.f), b(out, 1.f);
    for (float& v : x) v = float(draw.normal());
    compute(std::as_const(x).matrix(), stored, a.matrix());
    compute(std::as_const(x).matrix(), decoded, b.matrix());
    return testing::violation(a.data(), b.data(), std::size_t(a.size()), {.atol = 1e-3, .rtol = 1e-5});
  };
  for (const float beta : {0.f, 1.f}) {
    CHECK(both({tokens, inputs}, {tokens, outputs},
               [&](auto x, const auto& w, auto y) { frozen_gemm(device, transpose::yes, x, w, beta, y); }) == "");
    CHECK(both({tokens, outputs}, {tokens, inputs},
               [&](auto x, const auto& w, auto y) { frozen_gemm(device, transpose::no, x, w, beta, y); }) == "");
  }
  const tensor<std::int32_t> index(shape{3, 1}, {1499, -1, 0});
  CHECK(both({1, 1}, {3, inputs},
             [&](auto, const auto& w, auto y) { frozen_gather(device, 2.f, w, index.matrix(), y); }) == "");
  CHECK(both({1, 1}, {1, outputs}, [&](auto, const auto& w, auto y) { row_squares(device, w, y); }) == "");
  CHECK(read_frozen(device, stored) == read_frozen(device, decoded));
}

/// The toy model as a folder whose matrices are bf16.
void write_toy_in_bf16(const std::filesystem::path& folder) {
  const io::checkpoint toy = models::toy_checkpoint();
  std::vector<tensor<float>> vectors;
  std::vector<std::vector<std::uint16_t>> matrices;
  std::vector<io::stored_tensor> all;
  for (const std::string& name : toy.weights->names()) {
    tensor<float> values = toy.weights->load<float>(name);
    const shape extents = values.extents();
    if (extents.rank() == 1) {
      vectors.push_back(std::move(values));
      all.push_back({name, dtype::f32, extents, vectors.back().data()});
    } else {
      std::vector<std::uint16_t>& bits = matrices.emplace_back();
      for (const float v : values) bits.push_back(float_to_bf16(v));
      all.push_back({name, dtype::bf16, extents, bits.data()});
    }
  }
  io::write_safetensors(folder / "model.safetensors", all);
  io::write_text(folder / "config.json", toy.config.dump());
}

/// Losses of three steps of LoRA, and the logits behind them.
std::vector<double> losses(const std::string& path, models::load_options how, bool& any_stored) {
  cpu device(2);
  const auto model = models::load(device, path, how);
  any_stored = false;
  for (auto* group : model->groups())
    for (const auto& part : group->parts()) any_stored |= part.w.values().is_stored();
  auto adapters = peft::attach(*model, peft::lora{.rank = 4});
  train::trainer trainer(device, *model, adapters, {.adam = {.learning_rate = 1e-2}});
  data::encoded_example example{"one", {}, 20, 0};
  for (std::int32_t i = 0; i < 24; ++i) example.ids.push_back((7 * i + 3) % model->vocabulary());
  const auto batches = data::pack(std::vector{example});
  std::vector<double> out;
  for (int i = 0; i < 3; ++i) out.push_back(trainer.step(batches, {}, 1).loss);
  return out;
}

void check_model(const std::string& path) {
  bool stored = false, decoded = true;
  const auto ours = losses(path, {}, stored), theirs = losses(path, {.stored = false}, decoded);
  CHECK(stored);
  CHECK_FALSE(decoded);
  REQUIRE(ours.size() == theirs.size());
  // The head's gradient adds pieces of a million weights in an order of its own, and Adam's first steps divide what is
  // left of a gradient by its size: only the loss before them is that close.
  CHECK(ours[0] == doctest::Approx(theirs[0]).epsilon(1e-6));
  for (std::size_t i = 1; i < ours.size(); ++i) CHECK(ours[i] == doctest::Approx(theirs[i]).epsilon(1e-3));
  CHECK(ours.back() < ours.front());
}

}  // namespace

TEST_CASE("stored weights: products, gathers and norms on the CPU") {
  cpu device(3);
  check_primitives(device);
}
TEST_CASE("stored weights: products, gathers and norms on the reference") {
  reference device;
  check_primitives(device);
}

TEST_CASE("stored weights: a model in bf16 trains as the decoded one") {
  testing::temporary_folder folder;
  write_toy_in_bf16(folder.path());
  check_model(folder.path().string());
}

TEST_CASE("stored weights: SmolLM2 in blocks of four bits trains as the decoded one") {
  const char* path = std::getenv("MOR1E_SMOLLM2");
  if (path && *path)
    check_model(path);
  else
    MESSAGE("SKIPPED: set MOR1E_SMOLLM2 to the model");
}
