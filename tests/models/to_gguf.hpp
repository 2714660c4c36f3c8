// A fixture's model as the GGUF file that llama.cpp's converter would make of it: names, orders and values changed the
// way that converter does.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "io/gguf_writer.hpp"
#include "mor1e/io/checkpoint.hpp"

namespace mor1e::testing {

/// How one type of model is written.
struct gguf_names {
  std::string architecture, layers;  ///< "phi2", "model.layers."
  std::map<std::string, std::string> model, layer;
};

inline const gguf_names& names_for(const std::string& model_type) {
  static const std::map<std::string, std::string> rotary = {
      {"input_layernorm", "attn_norm"}, {"self_attn.q_proj", "attn_q"},      {"self_attn.k_proj", "attn_k"},
      {"self_attn.v_proj", "attn_v"},   {"self_attn.o_proj", "attn_output"}, {"post_attention_layernorm", "ffn_norm"},
      {"mlp.gate_proj", "ffn_gate"},    {"mlp.up_proj", "ffn_up"},           {"mlp.down_proj", "ffn_down"}};
  static const std::map<std::string, std::string> whole = {
      {"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}};
  static const std::map<std::string, gguf_names> all = {
      {"llama", {"llama", "model.layers.", whole, rotary}},
      {"gemma", {"gemma", "model.layers.", whole, rotary}},
      {"phi",
       {"phi2",
        "model.layers.",
        {{"model.embed_tokens", "token_embd"}, {"model.final_layernorm", "output_norm"}, {"lm_head", "output"}},
        {{"input_layernorm", "attn_norm"},
         {"self_attn.q_proj", "attn_q"},
         {"self_attn.k_proj", "attn_k"},
         {"self_attn.v_proj", "attn_v"},
         {"self_attn.dense", "attn_output"},
         {"mlp.fc1", "ffn_up"},
         {"mlp.fc2", "ffn_down"}}}},
      {"bloom",
       {"bloom",
        "transformer.h.",
        {{"transformer.word_embeddings", "token_embd"},
         {"transformer.word_embeddings_layernorm", "token_embd_norm"},
         {"transformer.ln_f", "output_norm"},
         {"lm_head", "output"}},
        {{"input_layernorm", "attn_norm"},
         {"self_attention.query_key_value", "attn_qkv"},
         {"self_attention.dense", "attn_output"},
         {"post_attention_layernorm", "ffn_norm"},
         {"mlp.dense_h_to_4h", "ffn_up"},
         {"mlp.dense_4h_to_h", "ffn_down"}}}}};
  return all.at(model_type);
}

/// Rows of `width` values, taken in the order that `index` gives.
inline std::vector<float> rows_in_order(const tensor<float>& from, index_t width, const std::vector<index_t>& index) {
  std::vector<float> out;
  for (const index_t row : index) out.insert(out.end(), from.data() + row * width, from.data() + (row + 1) * width);
  return out;
}

/// `fused`: q, k and v of Phi-2 as one tensor, as older files have them.
inline gguf_writer to_gguf(const io::checkpoint& from, bool fused = false) {
  const auto& config = from.config;
  const std::string type = config.at("model_type");
  const gguf_names& names = names_for(type);
  const auto size = [&](const char* key, const char* other) {
    return config.value(key, config.value(other, nlohmann::json())).get<std::uint32_t>();
  };
  const auto key = [&](const char* name) { return names.architecture + "." + name; };
  const std::uint32_t hidden = size("hidden_size", "n_embed"), heads = size("num_attention_heads", "n_head");
  const std::uint32_t kv_heads = config.value("num_key_value_heads", heads);
  const std::uint32_t head = config.value("head_dim", hidden / heads);

  gguf_writer out;
  out.text("general.architecture", names.architecture).u32(key("embedding_length"), hidden);
  out.u32(key("block_count"), size("num_hidden_layers", "n_layer"));
  out.u32(key("feed_forward_length"), config.value("intermediate_size", 4 * hidden));
  out.u32(key("context_length"), config.value("max_position_embeddings", 2048));
  out.u32(key("attention.head_count"), heads).u32(key("attention.head_count_kv"), kv_heads);
  if (config.contains("rope_theta")) out.f32(key("rope.freq_base"), config.at("rope_theta").get<float>());
  if (config.contains("rms_norm_eps"))
    out.f32(key("attention.layer_norm_rms_epsilon"), config.at("rms_norm_eps").get<float>());
  for (const char* name : {"layer_norm_eps", "layer_norm_epsilon"})
    if (config.contains(name)) out.f32(key("attention.layer_norm_epsilon"), config.at(name).get<float>());
  if (names.architecture == "phi2")
    out.u32(key("rope.dimension_count"), std::uint32_t(config.value("partial_rotary_factor", 0.5) * head));
  else if (type != "bloom")
    out.u32(key("attention.key_length"), head).u32(key("attention.value_length"), head);

  std::map<std::string, std::vector<float>> fused_parts;
  for (const std::string& full : from.weights->names()) {
    const bool in_layer = full.starts_with(names.layers);
    const std::size_t begin = in_layer ? full.find('.', names.layers.size()) + 1 : 0, end = full.rfind('.');
    const std::string layer = in_layer ? "blk." + full.substr(names.layers.size(), begin - names.layers.size()) : "";
    const std::string module = full.substr(begin, end - begin), parameter = full.substr(end);
    const std::string name = (in_layer ? names.layer : names.model).at(module);
    const auto values = from.weights->load<float>(full);
    const index_t rows = values.extents()[0], width = values.size() / rows;

    std::vector<index_t> order;
    if (names.architecture == "llama" && (name == "attn_q" || name == "attn_k")) {
      for (index_t h = 0; h < rows / head; ++h)
        for (index_t j = 0; j < head / 2; ++j)
          for (index_t half = 0; half < 2; ++half) order.push_back(h * head + half * head / 2 + j);
    } else if (name == "attn_qkv") {
      for (index_t part = 0; part < 3; ++part)
        for (index_t h = 0; h < heads; ++h)
          for (index_t j = 0; j < head; ++j) order.push_back((h * 3 + part) * head + j);
    } else {
      for (index_t r = 0; r < rows; ++r) order.push_back(r);
    }
    std::vector<float> stored = rows_in_order(values, width, order);
    if (type == "gemma" && name.ends_with("norm"))
      for (float& value : stored) value += 1;
    if (fused && (name == "attn_q" || name == "attn_k" || name == "attn_v")) {
      auto& all = fused_parts[layer + "attn_qkv" + parameter];
      all.insert(all.end(), stored.begin(), stored.end());
      if (name == "attn_v") {
        // By name they came as k, q, v.
        std::rotate(all.begin(), all.begin() + std::ptrdiff_t(kv_heads * head * width),
                    all.end() - std::ptrdiff_t(stored.size()));
        std::vector<std::uint64_t> dims{all.size() / std::size_t(width)};
        if (parameter == ".weight") dims.insert(dims.begin(), std::uint64_t(width));
        out.floats(layer + "attn_qkv" + parameter, dims, all);
      }
      continue;
    }
    std::vector<std::uint64_t> dims{std::uint64_t(rows)};
    if (values.extents().rank() == 2) dims.insert(dims.begin(), std::uint64_t(width));
    out.floats(layer + name + parameter, dims, stored);
  }
  return out;
}

}  // namespace mor1e::testing
