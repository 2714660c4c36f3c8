// Definitions of models/config.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <optional>
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
  int window = 0;        ///< 0: the type has none, whatever the file says
  int intermediate = 0;  ///< 0: the file must say
};
inline type_defaults defaults_of(std::string_view model_type) {
  constexpr type_defaults known[] = {
      {.type = "mistral", .kv_heads = 8, .context = 131072, .window = 4096},
      {.type = "gemma", .kv_heads = 16, .head_dim = 256, .tied = true, .context = 8192},
      {.type = "gemma3_text", .kv_heads = 4, .head_dim = 256, .tied = true, .context = 131072, .window = 4096},
      {.type = "bloom", .tied = true},
      {.type = "phi", .intermediate = 8192},
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

struct rope_settings {
  rotary_frequencies frequencies;
  double factor = 1;  ///< on cosines and sines
};

/// `rope_theta`, and what `rope_scaling` (which Transformers prefers) or `rope_parameters` say. `part`: the share of
/// `partial_rotary_factor` by default; none for types that turn whole heads.
inline rope_settings read_rope(io::json_fields& in, int head_dim, int context, std::optional<double> part = {}) {
  rope_settings out;
  const bool old_spelling = in.is_on("rope_scaling");
  in.ignore({"rope_parameters"});
  io::json_fields rope = in.nested(old_spelling ? "rope_scaling" : "rope_parameters");
  rope.ignore({"finetuned"});  // how a yarn model came about
  rotary_frequencies& f = out.frequencies;
  f.dim = head_dim;
  f.theta = rope.number_or("rope_theta", in.number_or("rope_theta", 1e4, 0), 0);
  constexpr const char* share = "partial_rotary_factor";
  if (part) {
    const double turned = rope.number_or(share, in.number_or(share, *part, 0, 1), 0, 1);
    f.dim = int(head_dim * turned);
    in.refuse_unless(f.dim > 0 && f.dim % 2 == 0, "'", share, "' ", turned, " of ", head_dim,
                     " columns of a head is not a whole number of pairs");
  } else {
    in.expect(share, {1, 1.0});
    rope.expect(share, {1, 1.0});
  }
  in.expect("rope_interleaved", {});

  const std::string type = rope.string_or("rope_type", rope.string_or("type", "default"));
  rope.refuse_unless(rope.string_or("type", type) == type, "'rope_type' and 'type' differ");
  // Only scaled positions have an original context; Transformers lets the outer key win.
  const auto inner = rope.integer_or("original_max_position_embeddings", context, 1);
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
    f.factor = rope.number_or("factor", double(context) / f.context, 0);
    f.slow = rope.number_or("beta_slow", 1, 0), f.fast = rope.number_or("beta_fast", 32, 0);
    f.whole = rope.flag_or("truncate", true);
    rope.refuse_unless(f.theta > 1, "'rope_theta' ", f.theta, " is not above 1, as yarn needs it");
    const auto stretch = [&](double scale) { return f.factor <= 1 ? 1 : 0.1 * scale * std::log(f.factor) + 1; };
    constexpr double any = std::numeric_limits<double>::lowest();
    const double own = rope.number_or("mscale", 0, any), all = rope.number_or("mscale_all_dim", 0, any);
    out.factor = rope.number_or("attention_factor", own && all ? stretch(own) / stretch(all) : stretch(1), 0);
  } else {
    rope.refuse_unless(type == "default", "a scaling of type '", type,
                       "' is not supported (default, linear, llama3 and yarn are)");
    rope.refuse_unless(!rope.has("factor"), "'factor' is ", io::brief(rope.value("factor")),
                       ", and no 'rope_type' says of what");
  }
  rope.finish();
  return out;
}

/// What llama and gemma configurations spell alike.
inline llama_config read_llama_sizes(io::json_fields& in, const std::string& model_type) {
  llama_config c;
  c.model_type = model_type;
  const type_defaults defaults = defaults_of(model_type);
  c.hidden_size = in.size("hidden_size");
  c.intermediate_size = in.size("intermediate_size");
  c.layers = in.size("num_hidden_layers");
  c.heads = in.size("num_attention_heads");
  c.kv_heads = kv_heads_of(in, c.heads, defaults);
  in.refuse_unless(c.heads % c.kv_heads == 0, "num_attention_heads ", c.heads,
                   " is no multiple of num_key_value_heads ", c.kv_heads);
  if (in.has("head_dim") || defaults.head_dim) {
    c.head_dim = in.size_or("head_dim", defaults.head_dim);
  } else {
    in.refuse_unless(c.hidden_size % c.heads == 0, "hidden_size ", c.hidden_size,
                     " is no multiple of num_attention_heads ", c.heads);
    c.head_dim = c.hidden_size / c.heads;
  }
  in.refuse_unless(c.head_dim % 2 == 0, "head_dim ", c.head_dim, " is odd, rotary embeddings need pairs");
  c.vocabulary = in.size("vocab_size");
  c.norm_eps = in.number_or("rms_norm_eps", 1e-6, 0, 1);
  c.context = in.size_or("max_position_embeddings", defaults.context);
  c.tied = in.flag_or("tie_word_embeddings", defaults.tied);
  const rope_settings rope = read_rope(in, c.head_dim, c.context);
  c.rope = rope.frequencies, c.rope_factor = rope.factor;
  return c;
}

/// Throws `value_error` for an activation that is not one of `known`.
inline void check_activation(io::json_fields& in, const char* key, const std::string& otherwise,
                             std::initializer_list<std::string_view> known, const std::string& model_type) {
  const std::string activation = in.string_or(key, otherwise);
  in.refuse_unless(std::find(known.begin(), known.end(), activation) != known.end(), key, " '", activation,
                   "' is not supported for ", model_type, " (", *known.begin(), " is)");
}

/// What no configuration of a decoder may ask for, what changes nothing, and what else may not be there.
inline void finish_decoder(io::json_fields& in) {
  in.expect("quantization_config", {});
  in.refuse_unless(in.flag_or("is_causal", true), "'is_causal' is false, which is not supported");
  in.ignore(descriptive_keys);
  in.finish(io::computing_words);
}

}  // namespace detail

MOR1E_INLINE llama_config read_llama_config(const nlohmann::json& config, const std::string& where) {
  io::json_fields in(config, where + ": config");
  llama_config c = detail::read_llama_sizes(in, in.string_or("model_type", "llama"));
  if (const int window = detail::defaults_of(c.model_type).window) {
    c.window = in.size_or("sliding_window", in.contains("sliding_window") ? 0 : window);  // null: none
    in.expect("attention_bias", {});
    in.expect("mlp_bias", {});
  } else {
    in.ignore({"sliding_window"});
    c.attention_bias = in.flag_or("attention_bias", false);
    c.mlp_bias = in.flag_or("mlp_bias", false);
  }
  in.ignore({"use_sliding_window", "max_window_layers"});  // Qwen's: these types never look at them
  detail::check_layer_types(in, c.window ? "sliding_attention" : "full_attention");
  detail::check_activation(in, "hidden_act", "silu", {"silu", "swish"}, c.model_type);
  detail::finish_decoder(in);
  return c;
}

MOR1E_INLINE llama_config read_gemma_config(const nlohmann::json& config, const std::string& where) {
  io::json_fields in(config, where + ": config");
  llama_config c = detail::read_llama_sizes(in, in.string_or("model_type", "gemma"));
  c.attention_bias = in.flag_or("attention_bias", false);
  c.norm_offset = 1;
  c.embedding_scale = std::sqrt(double(c.hidden_size));
  // The released files say "gelu" and mean its tanh form, as Transformers reads them.
  constexpr const char* tanh_form = "gelu_pytorch_tanh";
  detail::check_activation(in, "hidden_act", tanh_form, {tanh_form, "gelu"}, c.model_type);
  detail::check_activation(in, "hidden_activation", tanh_form, {tanh_form}, c.model_type);
  in.expect("use_bidirectional_attention", {});
  detail::check_layer_types(in, "full_attention");
  detail::finish_decoder(in);
  return c;
}

MOR1E_INLINE phi_config read_phi_config(const nlohmann::json& config, const std::string& where) {
  io::json_fields in(config, where + ": config");
  phi_config c;
  c.hidden_size = in.size("hidden_size");
  c.intermediate_size = in.size_or("intermediate_size", detail::defaults_of("phi").intermediate);
  c.layers = in.size("num_hidden_layers");
  c.heads = in.size("num_attention_heads");
  c.kv_heads = in.size_or("num_key_value_heads", c.heads);
  in.refuse_unless(c.hidden_size % c.heads == 0 && c.heads % c.kv_heads == 0, "hidden_size ", c.hidden_size,
                   ", num_attention_heads ", c.heads, " and num_key_value_heads ", c.kv_heads,
                   " are no multiples of one another");
  c.vocabulary = in.size("vocab_size");
  c.norm_eps = in.number_or("layer_norm_eps", 1e-5, 0, 1);
  c.context = in.size_or("max_position_embeddings", 2048);
  c.tied = in.flag_or("tie_word_embeddings", false);
  const detail::rope_settings rope = detail::read_rope(in, c.hidden_size / c.heads, c.context, 0.5);
  c.rope = rope.frequencies, c.rope_factor = rope.factor;
  detail::check_activation(in, "hidden_act", "gelu_new", {"gelu_new"}, "phi");
  in.expect("qk_layernorm", {});
  detail::finish_decoder(in);
  return c;
}

MOR1E_INLINE bloom_config read_bloom_config(const nlohmann::json& config, const std::string& where) {
  io::json_fields in(config, where + ": config");
  const auto either = [&](const char* key, const char* other) { return in.size(in.has(key) ? key : other); };
  bloom_config c;
  c.hidden_size = either("n_embed", "hidden_size");
  c.layers = either("n_layer", "num_hidden_layers");
  c.heads = either("n_head", "num_attention_heads");
  in.refuse_unless(c.hidden_size % c.heads == 0, "hidden_size ", c.hidden_size, " is no multiple of n_head ", c.heads);
  c.vocabulary = in.size("vocab_size");
  c.norm_eps = in.number_or("layer_norm_epsilon", 1e-5, 0, 1);
  // ALiBi has no longest sequence; `seq_length` is what the model was trained on.
  c.context = in.size_or("seq_length", detail::defaults_of("bloom").context);
  c.tied = in.flag_or("tie_word_embeddings", detail::defaults_of("bloom").tied);
  in.expect("apply_residual_connection_post_layernorm", {});
  in.ignore({"slow_but_exact", "attention_softmax_in_fp32", "masked_softmax_fusion", "bias_dropout_fusion", "n_inner",
             "offset_alibi"});
  detail::finish_decoder(in);
  return c;
}

MOR1E_INLINE nomic_bert_config read_nomic_bert_config(const nlohmann::json& config, const std::string& where) {
  io::json_fields in(config, where + ": config");
  nomic_bert_config c;
  // Transformers' own class has other names than the released files, and newer files have both.
  const auto key = [&](const char* name, const char* released) { return in.has(name) ? name : released; };
  c.hidden_size = in.size(key("hidden_size", "n_embd"));
  c.layers = in.size(key("num_hidden_layers", "n_layer"));
  c.heads = in.size(key("num_attention_heads", "n_head"));
  in.refuse_unless(c.hidden_size % c.heads == 0 && c.hidden_size / c.heads % 2 == 0, "a width of ", c.hidden_size,
                   " is not ", c.heads, " heads times an even number, rotary embeddings need pairs");
  c.rope.dim = in.size_or("head_dim", c.hidden_size / c.heads);
  in.refuse_unless(c.rope.dim == c.hidden_size / c.heads, "'head_dim' ", c.rope.dim, " is not hidden_size / heads");
  c.intermediate_size = in.size_or(key("intermediate_size", "n_inner"), 4 * c.hidden_size);
  // The table is filled up to a multiple of rows.
  const int multiple = in.size_or("pad_vocab_size_multiple", 1), words = in.size("vocab_size");
  c.vocabulary = (words + multiple - 1) / multiple * multiple;
  c.types = in.size_or("type_vocab_size", 2);
  c.norm_eps = in.number_or(key("layer_norm_eps", "layer_norm_epsilon"), 1e-12, 0, 1);
  // Beyond what it was trained on the angles would have to be stretched, which is not computed here.
  c.context = std::min(in.size_or(key("max_position_embeddings", "n_positions"), 2048),
                       in.size_or("max_trained_positions", 2048));
  io::json_fields rope = in.nested("rope_parameters");
  c.rope.theta = rope.number_or("rope_theta", in.number_or("rotary_emb_base", 1000, 0), 0);
  rope.expect("rope_type", {"default"});
  rope.finish();
  in.refuse_unless(in.number_or("rotary_emb_fraction", 1, 0, 1) == 1, "'rotary_emb_fraction' is not 1");
  in.expect("rotary_emb_interleaved", {});
  in.expect("rotary_emb_scale_base", {});
  in.ignore({"rotary_scaling_factor", "attn_pdrop"});  // of longer texts; of training
  detail::check_activation(in, "activation_function", "swiglu", {"swiglu"}, "nomic_bert");
  detail::check_activation(in, "hidden_act", "silu", {"silu"}, "nomic_bert");
  for (const char* other : {"prenorm", "qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias", "causal", "use_rms_norm",
                            "parallel_block", "scale_attn_by_inverse_layer_idx", "quantization_config"})
    in.expect(other, {});
  in.ignore({"use_flash_attn", "fused_dropout_add_ln", "scale_attn_weights", "reorder_and_upcast_attn",
             "layer_norm_training"});
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
