// config.json in every spelling: computed as Transformers does, or refused by key.
#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/safetensors.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/linears.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;

namespace {

const std::filesystem::path source_dir = MOR1E_SOURCE_DIR;

/// The weights of transformers_configs.py: element k of the tensor at place `at` of all names in order.
tensor<float> weight(int at, shape extents) {
  tensor<float> out(extents);
  for (index_t k = 0; k < out.size(); ++k) {
    const double wave = std::sin(double(k) * 0.61803 + at);
    out[k] = float(extents.rank() == 1 ? 1 + 0.3 * wave : wave * 1.6 / std::sqrt(double(extents.cols())));
  }
  return out;
}

void write_model(const std::filesystem::path& folder, const nlohmann::json& config, const nlohmann::json& shapes) {
  io::write_json(folder / "config.json", config);
  std::vector<tensor<float>> values;
  std::vector<io::stored_tensor> stored;
  for (const auto& [name, extents] : shapes.items()) {
    shape s;
    for (const auto& extent : extents) s.append(extent.get<index_t>());
    values.push_back(weight(int(values.size()), s));
  }
  std::size_t i = 0;
  for (const auto& [name, extents] : shapes.items()) stored.push_back(io::stored(name, values[i++]));
  io::write_safetensors(folder / "model.safetensors", stored);
}

nlohmann::json llama() {
  return {{"model_type", "llama"},  {"hidden_size", 40},           {"intermediate_size", 88},
          {"num_hidden_layers", 2}, {"num_attention_heads", 5},    {"num_key_value_heads", 5},
          {"vocab_size", 173},      {"rms_norm_eps", 1e-5},        {"rope_theta", 10000.0},
          {"hidden_act", "silu"},   {"tie_word_embeddings", false}};
}

/// What reading says of a llama with `key` changed.
std::string refusal(const std::string& key, const nlohmann::json& value) {
  nlohmann::json config = llama();
  config[key] = value;
  try {
    models::read_llama_config(config, "m");
  } catch (const error& e) {
    return e.what();
  }
  return "";
}
bool holds(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }
models::llama_config read(const nlohmann::json& change) {
  nlohmann::json config = llama();
  config.update(change);
  return models::read_llama_config(config, "m");
}

}  // namespace

TEST_CASE("configurations of many spellings compute what Transformers computes") {
  const auto cases = io::read_json(source_dir / "tests/models/transformers_configs.json");
  CHECK(cases.size() == 26);
  cpu device(1);
  for (const auto& [name, fixture] : cases.items()) {
    CAPTURE(name);
    const testing::temporary_folder folder;
    write_model(folder.path(), fixture["config"], fixture["shapes"]);
    const auto model = models::load<cpu, float>(device, folder.path().string());
    constexpr index_t tokens = 40, rows = 3;
    models::padded_batch batch;
    batch.input_ids = tensor<std::int32_t>(shape{1, tokens});
    batch.lengths = {tokens}, batch.starts = {0};
    const index_t words = model->vocabulary();
    for (index_t i = 0; i < tokens; ++i) batch.input_ids[i] = std::int32_t((7 * i * i + 3 * i) % words);
    const auto logits = models::outputs_of<cpu, float>(device, *model, batch).logits;
    const auto expected = fixture["logits"].get<std::vector<double>>();
    REQUIRE(index_t(expected.size()) == rows * words);
    double worst = 0;
    for (index_t i = 0; i < rows * words; ++i)
      worst = std::max(worst, std::abs(double(logits[(tokens - rows) * words + i]) - expected[std::size_t(i)]));
    CHECK(worst < 2e-5);
  }
}

TEST_CASE("numbers have kind and range") {
  CHECK(refusal("hidden_size", 4294967336) ==
        "m: config: 'hidden_size' is 4294967336, not an integer from 1 to 16777216");
  CHECK(refusal("hidden_size", 18446744073709551615u) ==
        "m: config: 'hidden_size' is 18446744073709551615, not an integer from 1 to 16777216");
  CHECK(refusal("hidden_size", 40.9) == "m: config: 'hidden_size' is 40.9, not an integer from 1 to 16777216");
  CHECK(refusal("hidden_size", 40.0) == "m: config: 'hidden_size' is 40.0, not an integer from 1 to 16777216");
  CHECK(refusal("hidden_size", 1e308) == "m: config: 'hidden_size' is 1e+308, not an integer from 1 to 16777216");
  CHECK(refusal("hidden_size", true) == "m: config: 'hidden_size' is true, not an integer from 1 to 16777216");
  CHECK(refusal("vocab_size", -1) == "m: config: 'vocab_size' is -1, not an integer from 1 to 16777216");
  CHECK(refusal("vocab_size", nullptr) == "m: config: 'vocab_size' is missing");
  CHECK(refusal("rope_theta", 0) == "m: config: 'rope_theta' is 0, not a finite number above 0");
  CHECK(refusal("rope_theta", "1e4") == "m: config: 'rope_theta' is \"1e4\", not a finite number above 0");
  CHECK(refusal("rms_norm_eps", -1) == "m: config: 'rms_norm_eps' is -1, not a finite number above 0 and up to 1");
  CHECK(refusal("tie_word_embeddings", 1) == "m: config: 'tie_word_embeddings' is 1, neither true nor false");
  CHECK(refusal("hidden_act", "gelu") == "m: config: hidden_act 'gelu' is not supported for llama (silu is)");
  CHECK(refusal("num_key_value_heads", 3) ==
        "m: config: num_attention_heads 5 is no multiple of num_key_value_heads 3");
}

TEST_CASE("scaled positions say of what kind and with which numbers") {
  const auto rope = [](const nlohmann::json& value) { return refusal("rope_scaling", value); };
  CHECK(rope("linear") == "m: config: 'rope_scaling': is \"linear\", not a JSON object");
  CHECK(rope({1, 2}) == "m: config: 'rope_scaling': is [1,2], not a JSON object");
  CHECK(rope({{"factor", 8}}) == "m: config: 'rope_scaling': 'factor' is 8, and no 'rope_type' says of what");
  CHECK(rope({{"type", "linear"}}) == "m: config: 'rope_scaling': 'factor' is missing");
  CHECK(rope({{"type", "linear"}, {"factor", 0}}) ==
        "m: config: 'rope_scaling': 'factor' is 0, not a finite number above 0");
  CHECK(holds(rope({{"type", "dynamic"}, {"factor", 2}}), "type 'dynamic' is not supported"));
  CHECK(holds(rope({{"type", "linear"}, {"rope_type", "yarn"}, {"factor", 2}}), "'rope_type' and 'type' differ"));
  CHECK(holds(rope({{"type", "linear"}, {"factor", 2}, {"long_factor", {1}}}), "\"long_factor\": [1] is not known"));
  CHECK(holds(rope({{"rope_type", "llama3"}, {"factor", 8}, {"low_freq_factor", 4}, {"high_freq_factor", 4}}),
              "'high_freq_factor' 4 is not above 'low_freq_factor' 4"));
  CHECK(holds(refusal("partial_rotary_factor", 0.5), "'partial_rotary_factor' is 0.5"));
  CHECK(holds(refusal("rope_interleaved", true), "'rope_interleaved' is true"));
}

TEST_CASE(
    "an unknown key of the rope, attention and norm families is refused; others, and those that are off, are not") {
  for (const char* key : {"rope_local_base_freq", "attention_multiplier", "attn_logit_softcapping", "use_qk_norm",
                          "sliding_window_pattern", "logit_scale", "num_local_experts", "embedding_multiplier"}) {
    CAPTURE(key);
    CHECK(refusal(key, 2) == text("m: config: \"", key, "\": 2 is not known, and may change what the model computes"));
    for (const nlohmann::json& off : {nlohmann::json(), nlohmann::json(false)}) CHECK(refusal(key, off) == "");
  }
  CHECK(holds(refusal("quantization_config", {{"bits", 4}}), "'quantization_config' is {\"bits\":4}"));
  CHECK(holds(refusal("layer_types", {"full_attention", "sliding_attention"}), "'layer_types' is"));
  CHECK(refusal("layer_types", {"full_attention", "full_attention"}) == "");
  CHECK(refusal("attention_dropout", 0.1) == "");
  CHECK(refusal("is_causal", false) == "m: config: 'is_causal' is false, which is not supported");
  CHECK(refusal("is_causal", true) == "");
  CHECK(refusal("rope_scaling", false) == "");
  CHECK(refusal("hidden_act", "swish") == "");  // another name of silu
  CHECK(refusal("rope_scaling", {{"type", "yarn"}, {"factor", 4}, {"finetuned", true}}) == "");
  CHECK(refusal("my_note", "of mine") == "");
}

TEST_CASE("defaults are those of the model type") {
  nlohmann::json mistral = llama();
  mistral.update({{"model_type", "mistral"}, {"hidden_size", 64}, {"num_attention_heads", 8}});
  mistral.erase("num_key_value_heads");
  const auto m = models::read_llama_config(mistral, "m");
  CHECK(m.kv_heads == 8);
  CHECK(m.window == 4096);
  CHECK(m.context == 131072);
  mistral["sliding_window"] = nullptr;
  CHECK(models::read_llama_config(mistral, "m").window == 0);
  const auto l = read({{"num_attention_heads", 10}, {"num_key_value_heads", nullptr}, {"sliding_window", 7}});
  CHECK(l.kv_heads == 10);
  CHECK(l.window == 0);
  CHECK(l.context == 2048);
  CHECK(l.norm_eps == 1e-5);
  CHECK(read({{"rms_norm_eps", nullptr}}).norm_eps == 1e-6);
}

TEST_CASE("account: sizes whose products would overflow are refused, and defaults are those of the type") {
  const auto why = [](nlohmann::json config) -> std::string {
    try {
      models::backbone_of(config, "m");
    } catch (const error& e) {
      return e.what();
    }
    return "";
  };
  nlohmann::json config = llama();
  config.update({{"model_type", "gemma3_text"}, {"intermediate_size", 8.03e33}});
  CHECK(holds(why(config), "'intermediate_size' is 8.03e+33, not an integer"));
  config.update({{"intermediate_size", 88}, {"num_attention_heads", 1 << 20}, {"head_dim", 1 << 20}});
  CHECK(holds(why(config), "heads of 1048576 are more than 16777216 columns"));
  config = llama();
  config["num_hidden_layers"] = 4294967336;
  CHECK(holds(why(config), "'num_hidden_layers' is 4294967336, not an integer from 1 to 1024"));
  config.update({{"model_type", "mistral"}, {"num_hidden_layers", 1}, {"num_attention_heads", 40}});
  config.erase("num_key_value_heads");
  CHECK(models::backbone_of(config, "m").linears[1].outputs == 8);
}

TEST_CASE("the released files of other kinds, and what Transformers writes of them, are read alike") {
  const nlohmann::json released = {{"model_type", "nomic_bert"},
                                   {"n_embd", 768},
                                   {"n_head", 12},
                                   {"n_layer", 12},
                                   {"n_inner", 3072},
                                   {"vocab_size", 30522},
                                   {"pad_vocab_size_multiple", 64},
                                   {"n_positions", 8192},
                                   {"max_trained_positions", 2048},
                                   {"rotary_emb_base", 1000},
                                   {"rotary_emb_fraction", 1.0},
                                   {"rotary_emb_interleaved", false},
                                   {"rotary_emb_scale_base", nullptr},
                                   {"rotary_scaling_factor", 2},
                                   {"activation_function", "swiglu"},
                                   {"layer_norm_epsilon", 1e-12},
                                   {"attn_pdrop", 0.0},
                                   {"prenorm", false},
                                   {"scale_attn_weights", true}};
  const nlohmann::json written = {{"model_type", "nomic_bert"},
                                  {"hidden_size", 768},
                                  {"num_attention_heads", 12},
                                  {"num_hidden_layers", 12},
                                  {"intermediate_size", 3072},
                                  {"vocab_size", 30528},
                                  {"max_position_embeddings", 2048},
                                  {"head_dim", 64},
                                  {"hidden_act", "silu"},
                                  {"layer_norm_eps", 1e-12},
                                  {"rope_parameters", {{"rope_theta", 1000.0}, {"rope_type", "default"}}}};
  for (const auto& config : {released, written}) {
    const models::nomic_bert_config c = models::read_nomic_bert_config(config, "n");
    CHECK(c.hidden_size == 768);
    CHECK(c.layers == 12);
    CHECK(c.intermediate_size == 3072);
    CHECK(c.vocabulary == 30528);
    CHECK(c.context == 2048);
    CHECK(c.rope.dim == 64);
    CHECK(c.rope.theta == 1000);
  }
  nlohmann::json other = written;
  other["rope_parameters"] = {{"rope_theta", 1000.0}, {"rope_type", "yarn"}};
  CHECK_THROWS_AS(models::read_nomic_bert_config(other, "n"), value_error);
  other = released, other["prenorm"] = true;
  CHECK_THROWS_WITH_AS(models::read_nomic_bert_config(other, "n"), doctest::Contains("'prenorm' is true"), value_error);

  nlohmann::json phi = {{"model_type", "phi"},      {"hidden_size", 2560},         {"num_hidden_layers", 32},
                        {"vocab_size", 51200},      {"num_attention_heads", 32},   {"intermediate_size", 10240},
                        {"hidden_act", "gelu_new"}, {"partial_rotary_factor", 0.4}};
  CHECK(models::read_phi_config(phi, "p").rope.dim == 32);
  phi.erase("partial_rotary_factor");
  phi["rope_parameters"] = {{"rope_theta", 1e4}, {"rope_type", "default"}, {"partial_rotary_factor", 0.4}};
  CHECK(models::read_phi_config(phi, "p").rope.dim == 32);
  phi["rope_parameters"]["partial_rotary_factor"] = 0.41;
  CHECK(models::read_phi_config(phi, "p").rope.dim == 32);
  phi["rope_parameters"]["partial_rotary_factor"] = 0.39;
  CHECK_THROWS_WITH_AS(models::read_phi_config(phi, "p"), doctest::Contains("not a whole number of pairs"),
                       value_error);
  phi["num_key_value_heads"] = 8;
  CHECK(models::backbone_of(phi, "p").linears[1].outputs == 640);
  phi["hidden_act"] = "gelu";
  CHECK_THROWS_AS(models::read_phi_config(phi, "p"), value_error);

  const nlohmann::json gemma = {{"model_type", "gemma"},      {"hidden_size", 3072},
                                {"intermediate_size", 24576}, {"num_hidden_layers", 28},
                                {"num_attention_heads", 16},  {"num_key_value_heads", 16},
                                {"vocab_size", 256000},       {"head_dim", 256},
                                {"hidden_act", "gelu"},       {"hidden_activation", nullptr}};
  const models::llama_config c = models::read_gemma_config(gemma, "g");
  CHECK(c.tied);
  CHECK(c.norm_offset == 1);
  CHECK(c.embedding_scale == doctest::Approx(std::sqrt(3072.0)));
  nlohmann::json exact = gemma;
  exact["hidden_activation"] = "gelu";
  CHECK_THROWS_WITH_AS(models::read_gemma_config(exact, "g"),
                       "g: config: hidden_activation 'gelu' is not supported for gemma (gelu_pytorch_tanh is)",
                       value_error);

  const nlohmann::json bloom = {
      {"model_type", "bloom"}, {"n_embed", 2560},    {"n_layer", 30},       {"n_head", 32},
      {"vocab_size", 250880},  {"seq_length", 2048}, {"offset_alibi", 100}, {"attention_softmax_in_fp32", true}};
  CHECK(models::read_bloom_config(bloom, "b").hidden_size == 2560);
}
