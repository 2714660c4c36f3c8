#include "mor1e/models/linears.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/golden.hpp"

using namespace mor1e;

namespace {

// The published configurations, as far as counting needs them.
nlohmann::json llama(int hidden, int layers, int heads, int kv_heads, int inner, int vocabulary, bool tied = false) {
  return {{"model_type", "llama"},        {"hidden_size", hidden},           {"num_hidden_layers", layers},
          {"num_attention_heads", heads}, {"num_key_value_heads", kv_heads}, {"intermediate_size", inner},
          {"vocab_size", vocabulary},     {"tie_word_embeddings", tied}};
}
nlohmann::json gemma(const char* type, int hidden, int layers, int heads, int inner, int vocabulary) {
  return {{"model_type", type},           {"hidden_size", hidden},    {"num_hidden_layers", layers},
          {"num_attention_heads", heads}, {"num_key_value_heads", 1}, {"intermediate_size", inner},
          {"vocab_size", vocabulary},     {"head_dim", 256}};
}
const std::pair<const char*, nlohmann::json> configurations[] = {
    {"Llama-2-13B", llama(5120, 40, 40, 40, 13824, 32000)},
    {"Llama-2-7B", llama(4096, 32, 32, 32, 11008, 32000)},
    {"Mistral-7B", llama(4096, 32, 32, 8, 14336, 32000)},
    {"Yi-6B", llama(4096, 32, 32, 4, 11008, 64000)},
    {"TinyLlama-1.1B", llama(2048, 22, 32, 4, 5632, 32000)},
    {"SmolLM2-135M", llama(576, 30, 9, 3, 1536, 49152, true)},
    {"Gemma-2B", gemma("gemma", 2048, 18, 8, 16384, 256000)},
    {"Gemma-3-270M", gemma("gemma3_text", 640, 18, 4, 2048, 262144)},
    {"Bloom-3B", {{"model_type", "bloom"}, {"n_embed", 2560}, {"n_layer", 30}, {"n_head", 32}, {"vocab_size", 250880}}},
    {"Phi-2",
     {{"model_type", "phi"},
      {"hidden_size", 2560},
      {"num_hidden_layers", 32},
      {"num_attention_heads", 32},
      {"intermediate_size", 10240},
      {"vocab_size", 51200}}},
};

}  // namespace

TEST_CASE("every published backbone is counted to the last parameter, from its configuration alone") {
  const nlohmann::json published = io::read_json(testing::golden_folder() / "account.json").at("models");
  CHECK(published.size() == std::size(configurations));
  for (const auto& [name, config] : configurations) {
    CAPTURE(std::string(name));
    const nlohmann::json& expected = published.at(name);
    const models::backbone b = models::backbone_of(config, name);
    CHECK(b.parameters == expected.at("base_parameters").get<std::int64_t>());
    CHECK(b.adapted_linears() == expected.at("adapted_linears").get<std::int64_t>());
    CHECK(b.sum_both() == expected.at("S").get<std::int64_t>());
    CHECK(b.sum_inputs() == expected.at("S_in").get<std::int64_t>());
    CHECK(2 * b.sum_products() == expected.at("forward_flops_per_token").at("base_linears").get<std::int64_t>());
  }
}

TEST_CASE("a backbone that is not known, and a key that is missing, are named") {
  CHECK_THROWS_WITH_AS(models::backbone_of({{"model_type", "rwkv"},
                                            {"hidden_size", 8},
                                            {"num_hidden_layers", 1},
                                            {"num_attention_heads", 1},
                                            {"vocab_size", 9}},
                                           "here"),
                       "here: model_type 'rwkv' is not known (llama, mistral, gemma, gemma3_text, bloom and phi are)",
                       value_error);
  CHECK_THROWS_WITH_AS(models::backbone_of({{"model_type", "llama"}}, "here"), doctest::Contains("is missing"),
                       io_error);
}
