// All tensors of a real GGUF model against the sums of an independent reader.
#include <cstdlib>
#include <span>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/gguf.hpp"
#include "mor1e/io/gguf_dequantise.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/golden.hpp"

using namespace mor1e;
using namespace mor1e::io;

TEST_CASE("SmolLM2: every tensor has the bytes of the reference, as stored and as Hugging Face has it") {
  const char* path = std::getenv("MOR1E_SMOLLM2");
  const auto golden = mor1e::testing::golden_folder() / "smollm2";
  if (!path || !*path || !std::filesystem::exists(golden / "tensors.json")) {
    MESSAGE("SKIPPED: set MOR1E_SMOLLM2 to the GGUF file, and MOR1E_GOLDEN to fixtures with smollm2/tensors.json");
    return;
  }
  const auto sha256_of_values = [](const tensor<float>& values) {
    return sha256_of(std::as_bytes(std::span(values.begin(), values.end())));
  };
  const auto reference = read_json(golden / "tensors.json");
  const auto about = read_json(golden / "golden.json");
  const gguf_file file(path);
  const checkpoint model = open_checkpoint(path);
  CHECK(model.hash() == about["file"]["sha256"]);
  REQUIRE(file.tensors().size() == reference.size());
  REQUIRE(model.weights->names().size() == reference.size());
  int permuted = 0;
  for (const auto& item : reference.items()) {
    const std::string& name = item.key();
    const auto& expected = item.value();
    CAPTURE(name);
    const auto& stored = file.at(name);
    CHECK(name_of(stored.type) == expected["type"].get<std::string>());
    tensor<float> values(stored.extents);
    dequantise(stored.type, file.bytes(stored).data(), values.size(), values.data(), name);
    CHECK(sha256_of_values(values) == expected["sha256_f32"]);

    const std::string hf_name = expected["hf_name"];
    REQUIRE(model.weights->contains(hf_name));
    const shape extents = model.weights->extents(hf_name);
    CHECK(nlohmann::json(std::vector<index_t>(extents.begin(), extents.end())) == expected["shape"]);
    CHECK(sha256_of_values(model.weights->load<float>(hf_name)) == expected["sha256_f32_hf_layout"]);
    permuted += expected["sha256_f32"] != expected["sha256_f32_hf_layout"];
    model.weights->drop(hf_name);
  }
  CHECK(permuted == 2 * model.config["num_hidden_layers"].get<int>());

  const auto& seen = about["config_seen_by_transformers"];
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "rms_norm_eps", "tie_word_embeddings", "vocab_size"})
    CHECK(model.config[key] == seen[key]);
  CHECK(model.config["rope_theta"] == seen["rope_parameters"]["rope_theta"]);
  MESSAGE("compared ", reference.size(), " tensors, ", permuted, " of them permuted");
}
