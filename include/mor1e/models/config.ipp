// Definitions of models/config.hpp.
#pragma once

#include <nlohmann/json.hpp>

#include "mor1e/models/config.hpp"

namespace mor1e::models {

namespace detail {

/// Typed fields of a config.json, each error naming the file and the key.
class config_reader {
 public:
  config_reader(const nlohmann::json& config, const std::string& where) : config_(config), where_(where) {}

  bool has(const char* key) const { return config_.contains(key) && !config_[key].is_null(); }

  template <class Value>
  Value get(const char* key) const {
    require<io_error>(has(key), where_, ": config: '", key, "' is missing");
    return read<Value>(config_[key], key);
  }
  template <class Value>
  Value get(const char* key, Value otherwise) const {
    return has(key) ? read<Value>(config_[key], key) : otherwise;
  }
  int positive(const char* key) const {
    const int value = get<int>(key);
    require<io_error>(value > 0, where_, ": config: '", key, "' is ", value, ", not positive");
    return value;
  }
  template <class... Parts>
  void refuse_unless(bool holds, const Parts&... parts) const {
    require<value_error>(holds, where_, ": ", parts...);
  }
  config_reader nested(const char* key) const { return {config_[key], where_}; }
  const std::string& where() const { return where_; }

 private:
  template <class Value>
  Value read(const nlohmann::json& value, const char* key) const {
    try {
      return value.get<Value>();
    } catch (const nlohmann::json::exception&) {
      throw io_error(text(where_, ": config: '", key, "' is ", value.dump(), ", of another type than expected"));
    }
  }

  const nlohmann::json& config_;
  const std::string& where_;
};

}  // namespace detail

MOR1E_INLINE llama_config read_llama_config(const nlohmann::json& config, const std::string& where) {
  const detail::config_reader in(config, where);
  llama_config c;
  c.model_type = in.get<std::string>("model_type", "llama");
  c.hidden_size = in.positive("hidden_size");
  c.intermediate_size = in.positive("intermediate_size");
  c.layers = in.positive("num_hidden_layers");
  c.heads = in.positive("num_attention_heads");
  c.kv_heads = in.has("num_key_value_heads") ? in.positive("num_key_value_heads") : c.heads;
  c.head_dim = in.has("head_dim") ? in.positive("head_dim") : c.hidden_size / c.heads;
  c.vocabulary = in.positive("vocab_size");
  c.norm_eps = in.get<double>("rms_norm_eps", 1e-6);
  c.context = in.get<int>("max_position_embeddings", 2048);
  c.tied = in.get<bool>("tie_word_embeddings", false);
  c.attention_bias = in.get<bool>("attention_bias", false);
  c.mlp_bias = in.get<bool>("mlp_bias", false);
  c.window = in.get<int>("sliding_window", 0);
  in.refuse_unless(c.heads % c.kv_heads == 0, "num_attention_heads ", c.heads,
                   " is no multiple of num_key_value_heads ", c.kv_heads);
  in.refuse_unless(c.head_dim % 2 == 0, "head_dim ", c.head_dim, " is odd, rotary embeddings need pairs");
  const auto activation = in.get<std::string>("hidden_act", "silu");
  in.refuse_unless(activation == "silu", "hidden_act '", activation, "' is not supported for ", c.model_type,
                   " (silu is)");

  const char* spellings[] = {"rope_parameters", "rope_scaling"};
  c.rope_theta = in.get<double>("rope_theta", 1e4);
  for (const char* key : spellings) {
    if (!in.has(key)) continue;
    const detail::config_reader rope = in.nested(key);
    c.rope_theta = rope.get<double>("rope_theta", c.rope_theta);
    const auto type = rope.get<std::string>("rope_type", rope.get<std::string>("type", "default"));
    in.refuse_unless(type == "default", key, " of type '", type, "' is not supported (default is)");
  }
  return c;
}

MOR1E_INLINE bert_config read_bert_config(const nlohmann::json& config, const std::string& where) {
  const detail::config_reader in(config, where);
  bert_config c;
  c.hidden_size = in.positive("hidden_size");
  c.intermediate_size = in.positive("intermediate_size");
  c.layers = in.positive("num_hidden_layers");
  c.heads = in.positive("num_attention_heads");
  c.vocabulary = in.positive("vocab_size");
  c.context = in.get<int>("max_position_embeddings", 512);
  c.types = in.get<int>("type_vocab_size", 2);
  in.refuse_unless(c.hidden_size % c.heads == 0, "hidden_size ", c.hidden_size,
                   " is no multiple of num_attention_heads ", c.heads);
  c.norm_eps = in.get<double>("layer_norm_eps", 1e-12);
  const auto activation = in.get<std::string>("hidden_act", "gelu");
  in.refuse_unless(activation == "gelu", "hidden_act '", activation, "' is not supported for bert (gelu is)");
  const auto positions = in.get<std::string>("position_embedding_type", "absolute");
  in.refuse_unless(positions == "absolute", "position_embedding_type '", positions, "' is not supported (absolute is)");
  return c;
}

}  // namespace mor1e::models
