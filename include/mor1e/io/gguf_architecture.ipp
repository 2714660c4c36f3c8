#pragma once

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "mor1e/io/gguf_architecture.hpp"
#include "mor1e/io/json_fields.hpp"

namespace mor1e::io {

namespace detail {

inline std::int64_t integer_or(const gguf_file& file, const std::string& key, std::int64_t otherwise) {
  return file.contains(key) ? file.integer(key) : otherwise;
}

/// What the file says of scaled positions, in the words of config.json; null for none. As llama.cpp reads it: a factor
/// without a type is linear, and `rope.scale_linear` is how older files spell that.
inline nlohmann::json rope_scaling_of(const gguf_file& file, const std::string& rope) {
  double factor = 0;  // means none
  for (const char* key : {"scale_linear", "scaling.factor"})
    if (file.contains(rope + key)) factor = file.number(rope + key);
  const std::string type = file.contains(rope + "scaling.type") ? file.string(rope + "scaling.type") : "linear";
  if (type == "none" || (type == "linear" && factor == 0)) return nullptr;
  nlohmann::json out = {{"rope_type", type}, {"factor", factor}};
  for (const auto& [key, name] :
       {std::pair("scaling.yarn_beta_fast", "beta_fast"), {"scaling.yarn_beta_slow", "beta_slow"}})
    if (file.contains(rope + key)) out[name] = file.number(rope + key);
  if (const std::string key = rope + "scaling.original_context_length"; file.contains(key))
    out["original_max_position_embeddings"] = file.integer(key);
  return out;
}
inline void describe_rope(const gguf_architecture& of, const gguf_file& file, nlohmann::json& config) {
  const std::string base = of.key("rope.freq_base");
  config["rope_theta"] = file.contains(base) ? file.number(base) : 10000.0;
  if (nlohmann::json scaling = rope_scaling_of(file, of.key("rope.")); !scaling.is_null())
    config["rope_scaling"] = scaling;
}

/// Throws unless a count that the file may give is what the architecture has in any case.
inline void check_count(const gguf_architecture& of, const gguf_file& file, std::string_view name, std::int64_t is) {
  const std::int64_t found = integer_or(file, of.key(name), is);
  require<io_error>(found == is, file.path().string(), ": metadata '", of.key(name), "' is ", found, ", only ", is,
                    " is supported");
}

/// What decoders of RMSNorm, rotary positions and a gated MLP say alike.
inline void describe_rotary_decoder(const gguf_architecture& of, const gguf_file& file, const weight_source& weights,
                                    nlohmann::json& config) {
  const auto heads = config["num_attention_heads"].get<std::int64_t>();
  const std::int64_t head =
      integer_or(file, of.key("attention.key_length"), config["hidden_size"].get<std::int64_t>() / heads);
  config["intermediate_size"] = file.integer(of.key("feed_forward_length"));
  config["num_key_value_heads"] = integer_or(file, of.key("attention.head_count_kv"), heads);
  config["head_dim"] = head;
  config["rms_norm_eps"] = file.number(of.key("attention.layer_norm_rms_epsilon"));
  config["max_position_embeddings"] = file.integer(of.key("context_length"));
  config["attention_bias"] = weights.contains("model.layers.0.self_attn.q_proj.bias");
  check_count(of, file, "rope.dimension_count", head);
  describe_rope(of, file, config);
}

inline void describe_llama(const gguf_architecture& of, const gguf_file& file, const weight_source& weights,
                           nlohmann::json& config) {
  config["model_type"] = "llama";
  config["architectures"] = {"LlamaForCausalLM"};
  config["hidden_act"] = "silu";
  config["mlp_bias"] = weights.contains("model.layers.0.mlp.up_proj.bias");
  describe_rotary_decoder(of, file, weights, config);
}
inline void describe_gemma(const gguf_architecture& of, const gguf_file& file, const weight_source& weights,
                           nlohmann::json& config) {
  config["model_type"] = "gemma";
  config["architectures"] = {"GemmaForCausalLM"};
  config["hidden_act"] = "gelu_pytorch_tanh";
  describe_rotary_decoder(of, file, weights, config);
}
inline void describe_phi2(const gguf_architecture& of, const gguf_file& file, const weight_source&,
                          nlohmann::json& config) {
  const auto heads = config["num_attention_heads"].get<std::int64_t>();
  const std::int64_t head = config["hidden_size"].get<std::int64_t>() / heads;
  require<io_error>(head > 0, file.path().string(), ": metadata '", of.key("embedding_length"), "' is ",
                    config["hidden_size"].get<std::int64_t>(), ", too small for ", heads, " heads");
  check_count(of, file, "attention.key_length", head);
  config["model_type"] = "phi";
  config["architectures"] = {"PhiForCausalLM"};
  config["hidden_act"] = "gelu_new";
  config["intermediate_size"] = file.integer(of.key("feed_forward_length"));
  config["num_key_value_heads"] = integer_or(file, of.key("attention.head_count_kv"), heads);
  config["layer_norm_eps"] = file.number(of.key("attention.layer_norm_epsilon"));
  config["max_position_embeddings"] = file.integer(of.key("context_length"));
  // Readers of the share take the whole part of share times head, which must not round below the count.
  const std::int64_t turned = file.integer(of.key("rope.dimension_count"));
  double share = double(turned) / double(head);
  if (std::int64_t(share * double(head)) < turned) share = std::nextafter(share, 1.0);
  config["partial_rotary_factor"] = share;
  describe_rope(of, file, config);
}
inline void describe_bloom(const gguf_architecture& of, const gguf_file& file, const weight_source&,
                           nlohmann::json& config) {
  const auto heads = config["num_attention_heads"].get<std::int64_t>();
  check_count(of, file, "attention.head_count_kv", heads);
  check_count(of, file, "attention.key_length", config["hidden_size"].get<std::int64_t>() / heads);
  config["model_type"] = "bloom";
  config["architectures"] = {"BloomForCausalLM"};
  config["layer_norm_epsilon"] = file.number(of.key("attention.layer_norm_epsilon"));
  config["seq_length"] = file.integer(of.key("context_length"));
}

inline constexpr gguf_module llama_model[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};
inline constexpr gguf_module llama_layer[] = {{"attn_norm", "input_layernorm"},
                                              {"attn_q", "self_attn.q_proj", gguf_arrangement::query_pairs},
                                              {"attn_k", "self_attn.k_proj", gguf_arrangement::key_pairs},
                                              {"attn_v", "self_attn.v_proj"},
                                              {"attn_output", "self_attn.o_proj"},
                                              {"ffn_norm", "post_attention_layernorm"},
                                              {"ffn_gate", "mlp.gate_proj"},
                                              {"ffn_up", "mlp.up_proj"},
                                              {"ffn_down", "mlp.down_proj"}};
inline constexpr gguf_module gemma_model[] = {{"token_embd", "model.embed_tokens"},
                                              {"output_norm", "model.norm", gguf_arrangement::same, 1},
                                              {"output", "lm_head"}};
inline constexpr gguf_module gemma_layer[] = {{"attn_norm", "input_layernorm", gguf_arrangement::same, 1},
                                              {"attn_q", "self_attn.q_proj"},
                                              {"attn_k", "self_attn.k_proj"},
                                              {"attn_v", "self_attn.v_proj"},
                                              {"attn_output", "self_attn.o_proj"},
                                              {"ffn_norm", "post_attention_layernorm", gguf_arrangement::same, 1},
                                              {"ffn_gate", "mlp.gate_proj"},
                                              {"ffn_up", "mlp.up_proj"},
                                              {"ffn_down", "mlp.down_proj"}};
inline constexpr gguf_module phi2_model[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.final_layernorm"}, {"output", "lm_head"}};
inline constexpr gguf_module phi2_layer[] = {
    {"attn_norm", "input_layernorm"},
    {"attn_qkv", "self_attn", gguf_arrangement::three_modules},  // of older files
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.dense"},
    {"ffn_up", "mlp.fc1"},
    {"ffn_down", "mlp.fc2"}};
inline constexpr gguf_module bloom_model[] = {{"token_embd", "transformer.word_embeddings"},
                                              {"token_embd_norm", "transformer.word_embeddings_layernorm"},
                                              {"output_norm", "transformer.ln_f"},
                                              {"output", "lm_head"}};
inline constexpr gguf_module bloom_layer[] = {
    {"attn_norm", "input_layernorm"},
    {"attn_qkv", "self_attention.query_key_value", gguf_arrangement::parts_of_heads},
    {"attn_output", "self_attention.dense"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_up", "mlp.dense_h_to_4h"},
    {"ffn_down", "mlp.dense_4h_to_h"}};

inline constexpr std::string_view rotary_metadata[] = {"rope.freq_base",
                                                       "rope.dimension_count",
                                                       "rope.scale_linear",
                                                       "rope.scaling.type",
                                                       "rope.scaling.factor",
                                                       "rope.scaling.original_context_length",
                                                       "rope.scaling.yarn_beta_fast",
                                                       "rope.scaling.yarn_beta_slow",
                                                       "rope.scaling.finetuned"};  // how it was trained

inline constexpr gguf_architecture gguf_architectures[] = {
    {"llama", llama_model, "model.layers.", llama_layer, rotary_metadata, describe_llama},
    {"gemma", gemma_model, "model.layers.", gemma_layer, rotary_metadata, describe_gemma},
    {"phi2", phi2_model, "model.layers.", phi2_layer, rotary_metadata, describe_phi2},
    {"bloom", bloom_model, "transformer.h.", bloom_layer, {}, describe_bloom},
};

/// Every key of the model's own is computed, known not to matter, or refused: see `json_fields::finish`.
inline void check_metadata(const gguf_architecture& architecture, const gguf_file& file) {
  constexpr std::string_view known[] = {"attention.head_count", "attention.head_count_kv", "attention.key_length",
                                        "attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"};
  constexpr std::pair<std::string_view, double> neutral[] = {
      {"attention.sliding_window", 0}, {"attention.clamp_kqv", 0}, {"attention.scale", 0},         {"expert_count", 0},
      {"expert_used_count", 0},        {"logit_scale", 1},         {"rope.scaling.attn_factor", 1}};
  const auto is_neutral = [&](std::string_view name, const std::string& key) {
    if (name == "attention.causal") return file.boolean(key);
    // What llama.cpp gives Bloom without being told.
    if (name == "attention.max_alibi_bias") return file.number(key) == (architecture.name == "bloom" ? 8 : 0);
    if (name == "use_parallel_residual") return file.boolean(key) == (architecture.name == "phi2");
    if (name == "attention.value_length")
      return file.integer(key) == file.integer(architecture.key("attention.key_length"));
    const auto at = std::find_if(std::begin(neutral), std::end(neutral), [&](auto& n) { return n.first == name; });
    return at != std::end(neutral) && file.number(key) == at->second;
  };
  const std::string family = architecture.key("");
  const auto lists = [](const auto& list, std::string_view name) {
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
  };
  for (const std::string& key : file.keys()) {
    if (!key.starts_with(family)) continue;
    const std::string_view name = std::string_view(key).substr(family.size());
    const bool computing =
        name == "use_parallel_residual" || std::any_of(std::begin(computing_words), std::end(computing_words),
                                                       [&](auto word) { return name.find(word) != name.npos; });
    if (!computing || lists(known, name) || lists(architecture.computed, name)) continue;
    require<value_error>(is_neutral(name, key), file.path().string(), ": metadata '", key,
                         "' asks for what is not supported");
  }
}

/// The heads of queries, and of keys and values.
inline std::pair<index_t, index_t> heads_of(const gguf_architecture& architecture, const gguf_file& file) {
  const std::int64_t q = file.integer(architecture.key("attention.head_count"));
  const std::int64_t k = integer_or(file, architecture.key("attention.head_count_kv"), q);
  for (const std::int64_t heads : {q, k})
    require<io_error>(heads > 0 && heads <= largest_size, file.path().string(), ": ", heads, " attention heads");
  return {q, k};
}

}  // namespace detail

MOR1E_INLINE const gguf_architecture& gguf_architecture_of(const gguf_file& file) {
  const std::string name = file.string("general.architecture");
  std::string known;
  for (const gguf_architecture& architecture : detail::gguf_architectures) {
    if (architecture.name == name) return architecture;
    known += (known.empty() ? "" : ", ") + std::string(architecture.name);
  }
  throw io_error(text(file.path().string(), ": architecture '", name, "' is not supported (", known, " are)"));
}

MOR1E_INLINE std::vector<gguf_name> names_of(const gguf_architecture& architecture, const gguf_file& file,
                                             const gguf_tensor& stored) {
  // MODULE.weight, blk.LAYER.MODULE.weight; or .bias
  std::string_view module = stored.name;
  const std::size_t end = module.rfind('.');
  if (end == module.npos) return {};
  const std::string_view parameter = module.substr(end);
  if (parameter != ".weight" && parameter != ".bias") return {};
  module = module.substr(0, end);
  std::span<const gguf_module> modules = architecture.model_modules;
  std::string at;
  if (constexpr std::string_view block = "blk."; module.starts_with(block)) {
    const std::size_t layer_end = module.find('.', block.size());
    if (layer_end == module.npos) return {};
    const std::string_view layer = module.substr(block.size(), layer_end - block.size());
    if (layer.empty() || layer.find_first_not_of("0123456789") != layer.npos) return {};
    module = module.substr(layer_end + 1);
    modules = architecture.layer_modules;
    at = text(architecture.layers, layer, ".");
  }
  const auto found = std::find_if(modules.begin(), modules.end(), [&](auto& m) { return m.stored == module; });
  if (found == modules.end()) return {};

  const auto named = [&](std::string_view of, const gguf_row_order& rows) {
    return gguf_name{text(at, of, parameter), rows, found->added};
  };
  if (found->order == gguf_arrangement::same) return {named(found->name, {})};
  // A bias is a column of as many rows as the weight.
  const index_t rows = stored.extents.rank() == 1 ? stored.extents[0] : stored.extents.rows();
  const auto [q_heads, k_heads] = detail::heads_of(architecture, file);
  const auto head_rows = [&](index_t heads, index_t parts) {
    require<io_error>(rows % (parts * heads) == 0, file.path().string(), ": tensor '", stored.name, "': ", rows,
                      " rows are no ", heads, " heads of ", parts == 2 ? "even size" : "q, k and v");
    return rows / heads;
  };
  switch (found->order) {
    case gguf_arrangement::parts_of_heads: {
      const index_t n = head_rows(q_heads, 3) / 3;
      return {named(found->name, {.b_size = 3, .c_size = n, .stride_a = n, .stride_b = q_heads * n, .stride_c = 1})};
    }
    case gguf_arrangement::three_modules: {
      const index_t n = head_rows(q_heads + 2 * k_heads, 1), q = q_heads * n, k = k_heads * n;
      const std::string module_name(found->name);
      return {named(module_name + ".q_proj", {.rows = q}), named(module_name + ".k_proj", {.rows = k, .first = q}),
              named(module_name + ".v_proj", {.rows = k, .first = q + k})};
    }
    default: {
      const index_t n = head_rows(found->order == gguf_arrangement::query_pairs ? q_heads : k_heads, 2);
      return {named(found->name, {.b_size = 2, .c_size = n / 2, .stride_a = n, .stride_b = 1, .stride_c = 2})};
    }
  }
}

MOR1E_INLINE nlohmann::json config_of(const gguf_architecture& architecture, const gguf_file& file,
                                      const weight_source& weights) {
  detail::check_metadata(architecture, file);
  const std::string embedding = text(architecture.model_modules[0].name, ".weight");
  require<io_error>(weights.contains(embedding), file.path().string(), ": tensor '",
                    architecture.model_modules[0].stored, ".weight' is missing");
  nlohmann::json config;
  config["hidden_size"] = file.integer(architecture.key("embedding_length"));
  config["num_hidden_layers"] = file.integer(architecture.key("block_count"));
  config["num_attention_heads"] = detail::heads_of(architecture, file).first;
  // The embedding counts, not the vocabulary: it may be padded.
  config["vocab_size"] = weights.extents(embedding).rows();
  config["tie_word_embeddings"] = !weights.contains("lm_head.weight");
  architecture.describe(architecture, file, weights, config);
  for (const auto& [key, id] :
       {std::pair("tokenizer.ggml.bos_token_id", "bos_token_id"), {"tokenizer.ggml.eos_token_id", "eos_token_id"}})
    if (file.contains(key)) config[id] = file.integer(key);
  return config;
}

}  // namespace mor1e::io
