// Definitions of models/linears.hpp.
#pragma once

#include <algorithm>

#include <nlohmann/json.hpp>

#include "mor1e/io/json_fields.hpp"
#include "mor1e/models/config.ipp"
#include "mor1e/models/linears.hpp"

namespace mor1e::models {

MOR1E_INLINE std::int64_t backbone::sum_inputs() const {
  std::int64_t sum = 0;
  for (const linear_shape& l : linears) sum += l.inputs;
  return layers * sum;
}
MOR1E_INLINE std::int64_t backbone::sum_both() const {
  std::int64_t sum = 0;
  for (const linear_shape& l : linears) sum += l.inputs + l.outputs;
  return layers * sum;
}
MOR1E_INLINE std::int64_t backbone::sum_products() const {
  std::int64_t sum = 0;
  for (const linear_shape& l : linears) sum += l.inputs * l.outputs;
  return layers * sum;
}

MOR1E_INLINE backbone backbone_of(const nlohmann::json& config, const std::string& where) {
  io::json_fields in(config, where + ": config");
  const auto either = [&](const char* key, const char* other, std::int64_t most = io::largest_size) {
    return in.integer(in.has(key) ? key : other, 1, most);
  };
  backbone b;
  b.model_type = in.string("model_type");
  const std::int64_t h = either("n_embed", "hidden_size"), vocabulary = in.size("vocab_size");
  b.layers = either("n_layer", "num_hidden_layers", 1 << 10);  // with the sizes below 2^24, no sum overflows
  b.head = {"lm_head", h, vocabulary};
  const int heads = int(either("n_head", "num_attention_heads"));
  b.head_dim = h / heads;
  const detail::type_defaults defaults = detail::defaults_of(b.model_type);
  const bool tied = in.flag_or("tie_word_embeddings", defaults.tied);
  const auto weights = [&] {
    std::int64_t sum = 0;
    for (const linear_shape& l : b.linears) sum += l.inputs * l.outputs;
    return sum;
  };
  const auto biases = [&] {
    std::int64_t sum = 0;
    for (const linear_shape& l : b.linears) sum += l.outputs;
    return sum;
  };

  if (b.model_type == "llama" || b.model_type == "mistral" || b.model_type == "gemma" ||
      b.model_type == "gemma3_text") {
    const std::int64_t kv_heads = detail::kv_heads_of(in, heads, defaults);
    const std::int64_t head_dim = in.integer_or("head_dim", defaults.head_dim ? defaults.head_dim : h / heads, 1);
    b.head_dim = head_dim;
    const std::int64_t inner = in.size("intermediate_size"), q = heads * head_dim, kv = kv_heads * head_dim;
    in.refuse_unless(std::max(q, kv) <= io::largest_size, std::max<std::int64_t>(heads, kv_heads), " heads of ",
                     head_dim, " are more than ", io::largest_size, " columns");
    b.linears = {{"self_attn.q_proj", h, q}, {"self_attn.k_proj", h, kv}, {"self_attn.v_proj", h, kv},
                 {"self_attn.o_proj", q, h}, {"mlp.gate_proj", h, inner}, {"mlp.up_proj", h, inner},
                 {"mlp.down_proj", inner, h}};
    // Gemma 3 has four norms a block, and norms of queries and keys.
    const std::int64_t norms = b.model_type == "gemma3_text" ? 4 * h + 2 * head_dim : 2 * h;
    b.parameters = vocabulary * h * (tied ? 1 : 2) + b.layers * (weights() + norms) + h;
  } else if (b.model_type == "bloom") {
    b.linears = {{"self_attention.query_key_value", h, 3 * h},
                 {"self_attention.dense", h, h},
                 {"mlp.dense_h_to_4h", h, 4 * h},
                 {"mlp.dense_4h_to_h", 4 * h, h}};
    b.parameters = vocabulary * h * (tied ? 1 : 2) + 2 * h + b.layers * (weights() + biases() + 4 * h) + 2 * h;
  } else if (b.model_type == "phi") {
    const std::int64_t inner = in.integer_or("intermediate_size", defaults.intermediate, 1),
                       kv = in.integer_or("num_key_value_heads", heads, 1) * b.head_dim;
    b.linears = {{"self_attn.q_proj", h, h}, {"self_attn.k_proj", h, kv}, {"self_attn.v_proj", h, kv},
                 {"self_attn.dense", h, h},  {"mlp.fc1", h, inner},       {"mlp.fc2", inner, h}};
    b.parameters = vocabulary * h * (tied ? 1 : 2) + vocabulary + b.layers * (weights() + biases() + 2 * h) + 2 * h;
  } else {
    throw value_error(text(where, ": model_type '", b.model_type,
                           "' is not known (llama, mistral, gemma, gemma3_text, bloom and phi are)"));
  }
  in.refuse_unless(b.head_dim > 0, "hidden_size ", h, " is less than num_attention_heads ", heads);
  return b;
}

}  // namespace mor1e::models
