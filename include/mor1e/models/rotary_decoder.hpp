// Decoders of RMSNorm, rotary grouped-query attention and a gated MLP.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "mor1e/models/config.hpp"
#include "mor1e/models/decoder.hpp"
#include "mor1e/models/loader.hpp"
#include "mor1e/nn/attention.hpp"
#include "mor1e/nn/block.hpp"
#include "mor1e/nn/mlp.hpp"
#include "mor1e/nn/norm.hpp"
#include "mor1e/ops/rotary_table.hpp"

namespace mor1e::models {

template <class B, class T, class Activation>
using rotary_block = nn::pre_norm_block<nn::rms_norm<B, T>, nn::attention<B, T>, nn::gated_mlp<B, T, Activation>>;

/// The llama family, with the names of its tensors. `Activation` is that of the MLP's gate.
template <class B, class T, class Activation>
class rotary_decoder : public decoder<B, T, rotary_block<B, T, Activation>, nn::rms_norm<B, T>> {
 public:
  rotary_decoder(loader<B, T> from, llama_config config)
      : rotary_decoder::decoder(from.device(), {.model_type = config.model_type,
                                                .hidden_size = config.hidden_size,
                                                .vocabulary = config.vocabulary,
                                                .context = config.context,
                                                .kv_heads = config.kv_heads,
                                                .head_dim = config.head_dim}),
        config_(std::move(config)) {
    const auto& c = config_;
    const index_t h = c.hidden_size, inner = c.intermediate_size;
    const index_t q = index_t(c.heads) * c.head_dim, kv = index_t(c.kv_heads) * c.head_dim;
    const auto norm = [&](const std::string& name) -> nn::rms_norm<B, T> {
      return {from.vector(name, h), c.norm_eps, c.norm_offset};
    };
    this->embed_tokens_.table = from.matrix("model.embed_tokens.weight", c.vocabulary, h);
    this->embed_tokens_.scale = c.embedding_scale;
    for (int i = 0; i < c.layers; ++i) {
      const std::string at = "model.layers." + std::to_string(i) + ".";
      auto block = std::make_unique<rotary_block<B, T, Activation>>();
      block->input_norm = norm(at + "input_layernorm.weight");
      block->attention = {
          from.group(at, h, {{"self_attn.q_proj", q}, {"self_attn.k_proj", kv}, {"self_attn.v_proj", kv}},
                     c.attention_bias),
          from.group(at, q, {{"self_attn.o_proj", h}}, c.attention_bias),
          {.heads = c.heads,
           .kv_heads = c.kv_heads,
           .head_dim = c.head_dim,
           .scale = 1 / std::sqrt(double(c.head_dim)),
           .window = c.window},
          i};
      block->mlp_norm = norm(at + "post_attention_layernorm.weight");
      block->mlp = {from.group(at, h, {{"mlp.gate_proj", inner}, {"mlp.up_proj", inner}}, c.mlp_bias),
                    from.group(at, inner, {{"mlp.down_proj", h}}, c.mlp_bias)};
      this->blocks_.push_back(std::move(block));
      from.ignore(at + "self_attn.rotary_emb.inv_freq");  // old shards carry it; it follows from theta
    }
    this->norm_ = norm("model.norm.weight");
    if (!c.tied) this->lm_head_ = from.matrix("lm_head.weight", c.vocabulary, h);
    from.finish();
  }

 protected:
  var<T> rotary_table(tape<B>& t, nn::step_context<B, T>& step) const override {
    return ops::rotary_table<T>(t, step.batch.positions, config_.rope, config_.rope_factor);
  }

 private:
  llama_config config_;
};

}  // namespace mor1e::models
