// Definitions of models/config.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "mor1e/io/json.hpp"
#include "mor1e/io/json_fields.hpp"
#include "mor1e/models/config.hpp"

namespace mor1e::models {

namespace detail {

/// Keys of any config.json that say where a model comes from, how it was trained or how a program is to hold it.
inline constexpr std::initializer_list<const char*> descriptive_keys = {
    "architectures",
    "auto_map",  // code beside the model: Transformers uses its own for these types, and so do we
    "attention_dropout",
    "attention_probs_dropout_prob",
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_attn_implementation_internal",
    "_flash_attn_2_enabled",
    "output_attentions",
    "pretraining_tp"};

/// What Transformers assumes of a type where config.json is silent.
struct type_defaults {
  std::string_view type;
  int kv_heads = 0;  ///< 0: as many as heads
  int head_dim = 0;  ///< 0: hidden_size / heads
  bool tied = false;
  int context = 2048;
  int window = 0;  ///< 0: the type has none, whatever the file says
};
inline type_defaults defaults_of(std::string_view model_type) {
  constexpr type_defaults known[] = {
      {.type = "mistral", .kv_heads = 8, .context = 131072, .window = 4096},
      {.type = "gemma", .kv_heads = 16, .head_dim = 256, .tied = true, .context = 8192},
      {.type = "gemma3_text", .kv_heads = 4, .head_dim = 256, .tied = true, .context = 131072, .window = 4096},
      {.type = "bloom", .tied = true},
  };
  for (const type_defaults& defaults : known)
    if (defaults.type == model_type) return defaults;
  return {};
}
/// A missing key has the type's default, null means as many as heads.
inline int kv_heads_of(io::json_fields& in, int heads, const type_defaults& defaults) {
  const bool of_type = defaults.kv_heads && !in.contains("num_key_value_heads");
  return in.size_or("num_key_value_heads", of_type ? defaults.kv_heads : heads);
}

/// The same layer type for each layer, where a file lists them.
inline void check_layer_types(io::json_fields& in, const std::string& only) {
  const nlohmann::json& types = in.value("layer_types");
  if (types.is_null()) return;
  in.refuse_unless(types.is_array() && std::all_of(types.begin(), types.end(), [&](auto& t) { return t == only; }),
                   "'layer_types' is ", io::brief(types), "; only ", only, " in every layer is supported");
}

/// `rope_theta`, and what `rope_scaling` (which Transformers prefers) or `rope_parameters` say.
inline void read_rope(io::json_fields& in, llama_config& c) {
  const bool old_spelling = in.is_on("rope_scaling");
  in.ignore({"rope_parameters"});
  io::json_fields rope = in.nested(old_spelling ? "rope_scaling" : "rope_parameters");
  rope.ignore({"finetuned"});  // how a yarn model came about
  rotary_frequencies& f = c.rope;
  f.dim = c.head_dim;
  f.theta = rope.number_or("rope_theta", in.number_or("rope_theta", 1e4, 0), 0);
  in.expect("partial_rotary_factor", {1, 1.0});
  rope.expect("partial_rotary_factor", {1, 1.0});
  in.expect("rope_interleaved", {});

  const std::string type = rope.string_or("rope_type", rope.string_or("type", "default"));
  rope.refuse_unless(rope.string_or("type", type) == type, "'rope_type' and 'type' differ");
  // Only scaled positions have an original context; Transformers lets the outer key win.
  const auto inner = rope.integer_or("original_max_position_embeddings", c.context, 1);
  f.context = double(in.integer_or("original_max_position_embeddings", inner, 1));
  if (type == "linear") {
    f.scaling = rotary_scaling::linear;
    f.factor = rope.number("factor", 0);
  } else if (type == "llama3") {
    f.scaling = rotary_scaling::llama3;
    f.factor = rope.number("factor", 0);
    f.slow = rope.number("low_freq_factor", 0), f.fast = rope.number("high_freq_factor", 0);
    rope.refuse_unless(f.fast > f.slow, "'high_freq_factor' ", f.fast, " is not above 'low_freq_factor' ", f.slow);
  } else if (type == "yarn") {
    f.scaling = rotary_scaling::yarn;
    f.factor = rope.number_or("factor", double(c.context) / f.context, 0);
    f.slow = rope.number_or("beta_slow", 1, 0), f.fast = rope.number_or("beta_fast", 32, 0);
    f.whole = rope.flag_or("truncate", true);
    rope.refuse_unless(f.theta > 1, "'rope_theta' ", f.theta, " is not above 1, as yarn needs it");
    const auto stretch = [&](double scale) { return f.factor <= 1 ? 1 : 0.1 * scale * std::log(f.factor) + 1; };
    constexpr double any = std::numeric_limits<double>::lowest();
    const double own = rope.number_or("mscale", 0, any), all = rope.number_or("mscale_all_dim", 0, any);
    c.rope_factor = rope.number_or("attention_factor", own && all ? stretch(own) / stretch(all) : stretch(1), 0);
  } else {
    rope.refuse_unless(type == "default", "a scaling of type '", type,
                       "' is not supported (default, linear, llama3 and yarn are)");
    rope.refuse_unless(!rope.has("factor"), "'factor' is ", io::brief(rope.value("factor")),
                       ", and no 'rope_type' says of what");
  }
  rope.finish();
}

}  // namespace detail

MOR1E_INLINE llama_config read_llama_config(const nlohmann::json& config, const std::string& where) {
  io::json_fields in(config, where + ": config");
  llama_config c;
  c.model_type = in.string_or("model_type", "llama");
  const detail::type_defaults defaults = detail::defaults_of(c.model_type);
  c.hidden_size = in.size("hidden_size");
  c.intermediate_size = in.size("intermediate_size");
  c.layers = in.size("num_hidden_layers");
  c.heads = in.size("num_attention_heads");
  c.kv_heads = detail::kv_heads_of(in, c.heads, defaults);
  in.refuse_unless(c.heads % c.kv_heads == 0, "num_attention_heads ", c.heads,
                   " is no multiple of num_key_value_heads ", c.kv_heads);
  if (in.has("head_dim")) {
    c.head_dim = in.size("head_dim");
  } else {
    in.refuse_unless(c.hidden_size % c.heads == 0, "hidden_size ", c.hidden_size,
                     " is no multiple of num_attention_heads ", c.heads);
    c.head_dim = c.hidden_size / c.heads;
  }
  in.refuse_unless(c.head_dim % 2 == 0, "head_dim ", c.head_dim, " is odd, rotary embeddings need pairs");
  c.vocabulary = in.size("vocab_size");
  c.norm_eps = in.number_or("rms_norm_eps", 1e-6, 0, 1);
  c.context = in.size_or("max_position_embeddings", defaults.context);
  c.tied = in.flag_or("tie_word_embeddings", false);
  if (defaults.window) {
    c.window = in.size_or("sliding_window", in.contains("sliding_window") ? 0 : defaults.window);  // null: none
    in.expect("attention_bias", {});
    in.expect("mlp_bias", {});
  } else {
    in.ignore({"sliding_window"});
    c.attention_bias = in.flag_or("attention_bias", false);
    c.mlp_bias = in.flag_or("mlp_bias", false);
  }
  in.ignore({"use_sliding_window", "max_window_layers"});  // Qwen's: these types never look at them
  detail::check_layer_types(in, c.window ? "sliding_attention" : "full_attention");
  const auto activation = in.string_or("hidden_act", "silu");
  in.refuse_unless(activation == "silu" || activation == "swish", "hidden_act '", activation, "' is not supported for ",
                   c.model_type, " (silu is)");
  in.expect("quantization_config", {});
  in.refuse_unless(in.flag_or("is_causal", true), "'is_causal' is false, which is not supported");
  detail::read_rope(in, c);
  in.ignore(detail::descriptive_keys);
  in.finish(io::computing_words);
  return c;
}

MOR1E_INLINE bert_config read_bert_config(const nlohmann::json& config, const std::string& where) {
  io::json_fields in(config, where + ": config");
  bert_config c;
  c.hidden_size = in.size("hidden_size");
  c.intermediate_size = in.size("intermediate_size");
  c.layers = in.size("num_hidden_layers");
  c.heads = in.size("num_attention_heads");
  c.vocabulary = in.size("vocab_size");
  c.context = in.size_or("max_position_embeddings", 512);
  c.types = in.size_or("type_vocab_size", 2);
  in.refuse_unless(c.hidden_size % c.heads == 0, "hidden_size ", c.hidden_size,
                   " is no multiple of num_attention_heads ", c.heads);
  c.norm_eps = in.number_or("layer_norm_eps", 1e-12, 0, 1);
  const auto activation = in.string_or("hidden_act", "gelu");
  in.refuse_unless(activation == "gelu", "hidden_act '", activation, "' is not supported for bert (gelu is)");
  const auto positions = in.string_or("position_embedding_type", "absolute");
  in.refuse_unless(positions == "absolute", "position_embedding_type '", positions, "' is not supported (absolute is)");
  in.expect("is_decoder", {});
  in.expect("add_cross_attention", {});
  in.expect("quantization_config", {});
  in.ignore(detail::descriptive_keys);
  in.finish(io::computing_words);
  return c;
}

}  // namespace mor1e::models
