// Definitions of models/toy.hpp.
#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <utility>

#include "mor1e/core/rng.hpp"
#include "mor1e/models/toy.hpp"
#include "mor1e/text/byte_alphabet.hpp"

namespace mor1e::models {

namespace detail {

constexpr int toy_bytes = 256, toy_context = 2048;
constexpr const char* toy_end = "<|end|>";

/// Weights of a llama that are computed when they are read.
class toy_weights final : public io::weight_source {
 public:
  explicit toy_weights(const nlohmann::json& config) {
    const index_t h = config["hidden_size"], inner = config["intermediate_size"], v = config["vocab_size"];
    const index_t heads = config["num_attention_heads"], kv = h / heads * config.value("num_key_value_heads", heads);
    extents_ = {
        {"model.embed_tokens.weight", shape{v, h}}, {"model.norm.weight", shape{h}}, {"lm_head.weight", shape{v, h}}};
    for (int i = 0; i < config["num_hidden_layers"].get<int>(); ++i) {
      const std::string at = text("model.layers.", i, ".");
      for (const char* norm : {"input_layernorm", "post_attention_layernorm"})
        extents_[at + norm + ".weight"] = shape{h};
      for (const char* name : {"q_proj", "o_proj"}) extents_[at + "self_attn." + name + ".weight"] = shape{h, h};
      for (const char* name : {"k_proj", "v_proj"}) extents_[at + "self_attn." + name + ".weight"] = shape{kv, h};
      for (const char* name : {"gate_proj", "up_proj"}) extents_[at + "mlp." + name + ".weight"] = shape{inner, h};
      extents_[at + "mlp.down_proj.weight"] = shape{h, inner};
    }
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> out;
    for (const auto& [name, extents] : extents_) out.push_back(name);
    return out;
  }
  bool contains(std::string_view name) const override { return extents_.find(name) != extents_.end(); }
  shape extents(std::string_view name) const override { return at(name).second; }
  std::string stored_type(std::string_view) const override { return "F32"; }
  void read(std::string_view name, float* out) const override { generate(name, out); }
  void read(std::string_view name, double* out) const override { generate(name, out); }
  const float* mapped_f32(std::string_view) const override { return nullptr; }
  void drop(std::string_view) const override {}

 private:
  using item = std::pair<const std::string, shape>;
  const item& at(std::string_view name) const {
    const auto found = extents_.find(name);
    require<io_error>(found != extents_.end(), toy_name, ": no tensor '", name, "'");
    return *found;
  }
  template <class T>
  void generate(std::string_view name, T* out) const {
    const shape extents = at(name).second;
    if (extents.rank() == 1) {
      std::fill(out, out + extents.size(), T(1));
      return;
    }
    const double deviation = name.find("embed_tokens") != name.npos ? 1 : 1 / std::sqrt(double(extents.cols()));
    std::uint64_t key = 0;
    for (const char c : name) key = stream_key(key, c);
    rng draw(key);
    // Rounded to float, so that both precisions are the same model.
    for (index_t i = 0; i < extents.size(); ++i) out[i] = T(float(deviation * draw.normal()));
  }

  std::map<std::string, shape, std::less<>> extents_;
};

}  // namespace detail

MOR1E_INLINE io::checkpoint toy_checkpoint() {
  io::checkpoint out;
  out.path = toy_name;
  out.config = {{"model_type", "llama"},
                {"hidden_size", 64},
                {"intermediate_size", 176},
                {"num_hidden_layers", 2},
                {"num_attention_heads", 4},
                {"num_key_value_heads", 2},
                {"vocab_size", detail::toy_bytes + 1},
                {"max_position_embeddings", detail::toy_context},
                {"rms_norm_eps", 1e-5},
                {"eos_token_id", detail::toy_bytes}};
  out.weights = std::make_unique<detail::toy_weights>(out.config);
  return out;
}

MOR1E_INLINE texts::bpe_description toy_tokenizer() {
  texts::bpe_description out;
  for (int byte = 0; byte < detail::toy_bytes; ++byte)
    out.tokens.push_back(texts::byte_characters(std::string(1, char(byte))));
  out.tokens.push_back(detail::toy_end);
  out.added = {{.content = detail::toy_end, .id = detail::toy_bytes, .special = true}};
  out.words = false;
  out.eos = detail::toy_bytes;
  out.context = detail::toy_context;
  return out;
}

}  // namespace mor1e::models
