// Phi-2: attention and MLP side by side behind one LayerNorm, rotary on a part of each head, biases everywhere.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/models/config.hpp"
#include "mor1e/models/decoder.hpp"
#include "mor1e/models/loader.hpp"
#include "mor1e/nn/attention.hpp"
#include "mor1e/nn/block.hpp"
#include "mor1e/nn/mlp.hpp"
#include "mor1e/nn/norm.hpp"
#include "mor1e/ops/gelu_tanh.hpp"
#include "mor1e/ops/rotary_table.hpp"

namespace mor1e::models {

template <class B, class T>
using phi_block = nn::parallel_block<nn::layer_norm<B, T>, nn::attention<B, T>, nn::mlp<B, T, ops::gelu_tanh_op>>;

template <class B, class T>
class phi final : public decoder<B, T, phi_block<B, T>, nn::layer_norm<B, T>> {
 public:
  static std::vector<std::string> model_types() { return {"phi"}; }
  static std::unique_ptr<phi> make(loader<B, T> from) {
    const phi_config config = read_phi_config(from.source().config, from.source().path.string());
    return std::make_unique<phi>(std::move(from), config);
  }

  phi(loader<B, T> from, const phi_config& config)
      : phi::decoder(from.device(), {.model_type = "phi",
                                     .hidden_size = config.hidden_size,
                                     .vocabulary = config.vocabulary,
                                     .context = config.context,
                                     .kv_heads = config.kv_heads,
                                     .head_dim = config.hidden_size / config.heads}),
        config_(config) {
    const auto& c = config_;
    const int head_dim = c.hidden_size / c.heads;
    const index_t h = c.hidden_size, inner = c.intermediate_size, kv = index_t(c.kv_heads) * head_dim;
    const auto norm = [&](const std::string& at) -> nn::layer_norm<B, T> {
      return {from.vector(at + ".weight", h), from.vector(at + ".bias", h), c.norm_eps};
    };
    this->embed_tokens_.table = from.matrix("model.embed_tokens.weight", c.vocabulary, h);
    for (int i = 0; i < c.layers; ++i) {
      const std::string at = "model.layers." + std::to_string(i) + ".";
      auto block = std::make_unique<phi_block<B, T>>();
      block->input_norm = norm(at + "input_layernorm");
      block->attention = {
          from.group(at, h, {{"self_attn.q_proj", h}, {"self_attn.k_proj", kv}, {"self_attn.v_proj", kv}}, true),
          from.group(at, h, {{"self_attn.dense", h}}, true),
          {.heads = c.heads, .kv_heads = c.kv_heads, .head_dim = head_dim, .scale = 1 / std::sqrt(double(head_dim))},
          i};
      block->mlp = {from.group(at, h, {{"mlp.fc1", inner}}, true), from.group(at, inner, {{"mlp.fc2", h}}, true)};
      this->blocks_.push_back(std::move(block));
      from.ignore(at + "self_attn.rotary_emb.inv_freq");  // old shards carry it; it follows from theta
    }
    this->norm_ = norm("model.final_layernorm");
    if (!c.tied) this->lm_head_ = from.matrix("lm_head.weight", c.vocabulary, h);
    this->head_bias_ = from.vector("lm_head.bias", c.vocabulary);
    from.finish();
  }

 protected:
  var<T> rotary_table(tape<B>& t, nn::step_context<B, T>& step) const override {
    return ops::rotary_table<T>(t, step.batch.positions, config_.rope, config_.rope_factor);
  }

 private:
  phi_config config_;
};

}  // namespace mor1e::models
