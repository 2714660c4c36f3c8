#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/gguf_weights.hpp"
#include "mor1e/io/json_fields.hpp"
#include "mor1e/io/prefixed_weights.hpp"
#include "mor1e/io/safetensors_weights.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::io {

namespace detail {

/// Throws unless `path` is something a model can be read from.
inline void require_model(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto kind = std::filesystem::status(path, ignored).type();
  using std::filesystem::file_type;
  require<io_error>(kind != file_type::not_found, "no model at ", path.string(), ": no such file or folder");
  require<io_error>(kind == file_type::directory || (kind == file_type::regular && path.extension() == ".gguf"),
                    "no model at ", path.string(), ": neither a folder nor a .gguf file");
  require<io_error>(kind == file_type::regular || std::filesystem::is_regular_file(path / "config.json", ignored),
                    "no model at ", path.string(), ": the folder holds no config.json");
}

/// What the file says of scaled positions, in the words of config.json; null for none. As llama.cpp reads it: a factor
/// without a type is linear, and `rope.scale_linear` is how older files spell that.
inline nlohmann::json rope_scaling_of(const gguf_file& file) {
  double factor = 0;  // means none
  for (const char* key : {"llama.rope.scale_linear", "llama.rope.scaling.factor"})
    if (file.contains(key)) factor = file.number(key);
  const std::string type = file.contains("llama.rope.scaling.type") ? file.string("llama.rope.scaling.type") : "linear";
  if (type == "none" || (type == "linear" && factor == 0)) return nullptr;
  nlohmann::json out = {{"rope_type", type}, {"factor", factor}};
  constexpr std::pair<const char*, const char*> more[] = {{"llama.rope.scaling.yarn_beta_fast", "beta_fast"},
                                                          {"llama.rope.scaling.yarn_beta_slow", "beta_slow"}};
  for (const auto& [key, name] : more)
    if (file.contains(key)) out[name] = file.number(key);
  if (file.contains("llama.rope.scaling.original_context_length"))
    out["original_max_position_embeddings"] = file.integer("llama.rope.scaling.original_context_length");
  return out;
}

/// Every key of the model's own is computed, known not to matter, or refused: see `json_fields::finish`.
inline void check_metadata(const gguf_file& file) {
  constexpr std::string_view family = "llama.";
  constexpr std::string_view known[] = {"attention.head_count",
                                        "attention.head_count_kv",
                                        "attention.key_length",
                                        "attention.layer_norm_rms_epsilon",
                                        "rope.freq_base",
                                        "rope.dimension_count",
                                        "rope.scale_linear",
                                        "rope.scaling.type",
                                        "rope.scaling.factor",
                                        "rope.scaling.original_context_length",
                                        "rope.scaling.yarn_beta_fast",
                                        "rope.scaling.yarn_beta_slow",
                                        "rope.scaling.finetuned"};  // how it was trained
  constexpr std::pair<std::string_view, double> neutral[] = {{"attention.sliding_window", 0},
                                                             {"attention.clamp_kqv", 0},
                                                             {"attention.max_alibi_bias", 0},
                                                             {"attention.scale", 0},
                                                             {"expert_count", 0},
                                                             {"expert_used_count", 0},
                                                             {"logit_scale", 1},
                                                             {"rope.scaling.attn_factor", 1}};
  const auto is_neutral = [&](std::string_view name, const std::string& key) {
    if (name == "attention.causal") return file.boolean(key);
    if (name == "use_parallel_residual") return !file.boolean(key);
    if (name == "attention.value_length") return file.integer(key) == file.integer("llama.attention.key_length");
    const auto at = std::find_if(std::begin(neutral), std::end(neutral), [&](auto& n) { return n.first == name; });
    return at != std::end(neutral) && file.number(key) == at->second;
  };
  for (const std::string& key : file.keys()) {
    if (!key.starts_with(family)) continue;
    const std::string_view name = std::string_view(key).substr(family.size());
    const bool computing =
        name == "use_parallel_residual" || std::any_of(std::begin(computing_words), std::end(computing_words),
                                                       [&](auto word) { return name.find(word) != name.npos; });
    if (!computing || std::find(std::begin(known), std::end(known), name) != std::end(known)) continue;
    require<value_error>(is_neutral(name, key), file.path().string(), ": metadata '", key,
                         "' asks for what is not supported");
  }
}

}  // namespace detail

MOR1E_INLINE nlohmann::json config_of(const gguf_weights& weights) {
  const gguf_file& file = weights.file();
  detail::check_metadata(file);
  const auto integer = [&](const char* key, std::int64_t otherwise) {
    return file.contains(key) ? file.integer(key) : otherwise;
  };
  const std::int64_t hidden = file.integer("llama.embedding_length"),
                     heads = file.integer("llama.attention.head_count");
  require<io_error>(weights.contains("model.embed_tokens.weight"), file.path().string(),
                    ": tensor 'token_embd.weight' is missing");
  nlohmann::json config;
  config["model_type"] = "llama";
  config["architectures"] = {"LlamaForCausalLM"};
  config["hidden_size"] = hidden;
  config["intermediate_size"] = file.integer("llama.feed_forward_length");
  config["num_hidden_layers"] = file.integer("llama.block_count");
  config["num_attention_heads"] = heads;
  config["num_key_value_heads"] = integer("llama.attention.head_count_kv", heads);
  config["head_dim"] = integer("llama.attention.key_length", hidden / heads);
  // The embedding counts, not the vocabulary: it may be padded.
  config["vocab_size"] = weights.extents("model.embed_tokens.weight").rows();
  config["hidden_act"] = "silu";
  config["rms_norm_eps"] = file.number("llama.attention.layer_norm_rms_epsilon");
  config["rope_theta"] = file.contains("llama.rope.freq_base") ? file.number("llama.rope.freq_base") : 10000.0;
  config["max_position_embeddings"] = file.integer("llama.context_length");
  config["tie_word_embeddings"] = !weights.contains("lm_head.weight");
  config["attention_bias"] = weights.contains("model.layers.0.self_attn.q_proj.bias");
  config["mlp_bias"] = weights.contains("model.layers.0.mlp.up_proj.bias");
  if (file.contains("tokenizer.ggml.bos_token_id"))
    config["bos_token_id"] = file.integer("tokenizer.ggml.bos_token_id");
  if (file.contains("tokenizer.ggml.eos_token_id"))
    config["eos_token_id"] = file.integer("tokenizer.ggml.eos_token_id");
  if (nlohmann::json scaling = detail::rope_scaling_of(file); !scaling.is_null()) config["rope_scaling"] = scaling;
  return config;
}

MOR1E_INLINE checkpoint open_checkpoint(const std::filesystem::path& path) {
  detail::require_model(path);
  checkpoint out;
  out.path = path;
  if (std::filesystem::is_directory(path)) {
    out.config = read_json(path / "config.json");
    require<io_error>(out.config.is_object(), (path / "config.json").string(), ": is not a JSON object");
    out.weights = std::make_unique<safetensors_weights>(path);
    // Bloom's released files were saved from inside the model.
    if (out.config.value("model_type", nlohmann::json()) == "bloom" && out.weights->contains("word_embeddings.weight"))
      out.weights = std::make_unique<prefixed_weights>(std::move(out.weights), "transformer.");
    if (out.weights->contains("lm_head.weight")) out.config["tie_word_embeddings"] = false;
  } else {
    auto weights = std::make_unique<gguf_weights>(path);
    out.config = config_of(*weights);
    out.weights = std::move(weights);
  }
  return out;
}

MOR1E_INLINE std::string checkpoint_hash(const std::filesystem::path& path) {
  detail::require_model(path);
  sha256 hash;
  for (const auto& file : std::filesystem::is_directory(path) ? safetensors_weight_files(path) : gguf_parts(path))
    hash.update_file(file);
  return hash.hex();
}

MOR1E_INLINE const std::string& checkpoint::hash() const {
  if (hash_.empty()) hash_ = checkpoint_hash(path);
  return hash_;
}

}  // namespace mor1e::io
