// The two small real models, against an independent implementation.
#include <cstdlib>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "models/fixture.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/mor1e.hpp"

using namespace mor1e;
using namespace mor1e::models;
using mor1e::testing::closeness;
using mor1e::testing::golden_folder;
using mor1e::testing::violation;

namespace {

/// The model that the variable names, if the fixture is there too; empty (and said so) otherwise.
std::string real_model(const char* variable, const std::filesystem::path& fixture) {
  const char* model = std::getenv(variable);
  if (model && *model && std::filesystem::exists(fixture / "golden.safetensors")) return model;
  MESSAGE("SKIPPED: set ", variable, " to the model, and MOR1E_GOLDEN to fixtures with ", fixture.filename().string(),
          "/golden.safetensors");
  return "";
}

}  // namespace

TEST_CASE("SmolLM2: logits, negative log-likelihoods and greedy continuations of the reference") {
  const auto folder = golden_folder() / "smollm2";
  const std::string path = real_model("MOR1E_SMOLLM2", folder);
  if (path.empty()) return;
  cpu device;
  const auto model = load<cpu, float>(device, path);
  const io::safetensors_file golden(folder / "golden.safetensors");
  const auto about = io::read_json(folder / "golden.json");
  constexpr closeness close{.atol = 1e-3};

  // All prompts in one batch: each must be what it is alone.
  std::vector<data::encoded_example> prompts;
  for (std::size_t i = 0; i < about["prompts"].size(); ++i) {
    const auto ids = golden.read<std::int32_t>(text(i, ".input_ids"));
    prompts.push_back({text("prompt ", i), {ids.begin(), ids.end()}, 1, index_t(i)});
  }
  const auto packed = data::pack(prompts).front();
  tape<cpu> t(device, recording::forward);
  auto step = place_batch<cpu, float>(t, packed, limits_of(*model));
  const auto nll = t.read(model->loss(t, step).nll);
  index_t at = 0;

  rng unused(0);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    CAPTURE(i);
    const auto token_nll = golden.read<double>(text(i, ".token_nll"));
    CHECK(violation(nll.data() + at, token_nll.data(), token_nll.size(), close) == "");
    at += token_nll.size();

    const auto greedy = golden.read<std::int32_t>(text(i, ".greedy"));
    generation<cpu, float> continuation(device, *model, index_t(prompts[i].ids.size()) + greedy.size());
    auto next = continuation.push(prompts[i].ids);
    const auto last_logits = golden.read<float>(text(i, ".last_logits"));
    REQUIRE(next.size() == last_logits.size());
    CHECK(violation(next.data(), last_logits.data(), next.size(), close) == "");
    for (index_t k = 0; k < greedy.size(); ++k) {
      const std::int32_t token = choose_token(next, {}, unused);
      REQUIRE(token == greedy[k]);
      next = continuation.push({&token, 1});
    }
  }
  CHECK(at == packed.live_targets);
  MESSAGE(prompts.size(), " prompts compared");
}

TEST_CASE("MiniLM: embeddings of sentences of the reference, whatever the batches") {
  const auto folder = golden_folder() / "minilm";
  const std::string path = real_model("MOR1E_MINILM", folder);
  if (path.empty()) return;
  cpu device;
  const io::safetensors_file golden(folder / "golden.safetensors");
  const auto sentences = io::read_json(folder / "sentences.json").get<std::vector<std::string>>();
  const auto expected = golden.read<float>("embedding");
  // The smallest batches, which hold one sentence of maximal length, and the default.
  std::size_t calls_of_smallest = 0;
  for (const index_t tokens : {index_t(1), embedding_options{}.tokens}) {
    CAPTURE(tokens);
    encoder_embedder<cpu> embedder(device, path, {.tokens = tokens});
    std::size_t calls = 0, done = 0;
    const auto ours = embedder.embed(sentences, [&](std::size_t so_far, std::size_t all) {
      ++calls;
      CHECK(so_far > done);
      done = so_far;
      CHECK(all == sentences.size());
    });
    CHECK(done == sentences.size());
    if (tokens == 1)
      calls_of_smallest = calls;
    else
      CHECK(calls < calls_of_smallest);
    REQUIRE(ours.extents() == expected.extents());
    CHECK(violation(ours.data(), expected.data(), ours.size(), {.atol = 1e-5}) == "");
    if (tokens != 1) CHECK(embedder.hash() == io::read_json(folder / "golden.json")["model_sha256"]);
  }
  const auto tokenizer = open_tokenizer(path);
  std::size_t longest = 0;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    const auto ids = golden.read<std::int32_t>(text(i, ".input_ids"));
    longest = std::max(longest, tokenizer.encode(sentences[i]).size());
    CHECK(tokenizer.encode(sentences[i], true, 256) == std::vector<std::int32_t>(ids.begin(), ids.end()));
  }
  CHECK(longest > 256);
  MESSAGE(sentences.size(), " sentences compared");
}
