// Llama-2, Mistral, Yi, TinyLlama and SmolLM2: RMSNorm, rotary grouped-query attention, SwiGLU.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/models/config.hpp"
#include "mor1e/models/language_model.hpp"
#include "mor1e/models/loader.hpp"
#include "mor1e/nn/attention.hpp"
#include "mor1e/nn/block.hpp"
#include "mor1e/nn/embedding.hpp"
#include "mor1e/nn/mlp.hpp"
#include "mor1e/nn/norm.hpp"
#include "mor1e/ops/gather_rows.hpp"
#include "mor1e/ops/linear_cross_entropy.hpp"
#include "mor1e/ops/rotary_table.hpp"
#include "mor1e/ops/silu.hpp"

namespace mor1e::models {

template <class B, class T>
using llama_block = nn::pre_norm_block<nn::rms_norm<B, T>, nn::attention<B, T>, nn::gated_mlp<B, T, ops::silu_op>>;

template <class B, class T>
class llama final : public language_model<B, T> {
 public:
  static std::vector<std::string> model_types() { return {"llama", "mistral"}; }
  static std::unique_ptr<llama> make(loader<B, T> from) {
    llama_config config = read_llama_config(from.source().config, from.source().path.string());
    return std::make_unique<llama>(std::move(from), std::move(config));
  }

  llama(loader<B, T> from, llama_config config) : config_(std::move(config)), device_(&from.device()) {
    const auto& c = config_;
    const index_t h = c.hidden_size, inner = c.intermediate_size;
    const index_t q = index_t(c.heads) * c.head_dim, kv = index_t(c.kv_heads) * c.head_dim;
    embed_tokens_.table = from.matrix("model.embed_tokens.weight", c.vocabulary, h);
    for (int i = 0; i < c.layers; ++i) {
      const std::string at = "model.layers." + std::to_string(i) + ".";
      auto block = std::make_unique<llama_block<B, T>>();
      block->input_norm = {from.vector(at + "input_layernorm.weight", h), c.norm_eps};
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
      block->mlp_norm = {from.vector(at + "post_attention_layernorm.weight", h), c.norm_eps};
      block->mlp = {from.group(at, h, {{"mlp.gate_proj", inner}, {"mlp.up_proj", inner}}, c.mlp_bias),
                    from.group(at, inner, {{"mlp.down_proj", h}}, c.mlp_bias)};
      blocks_.push_back(std::move(block));
      from.ignore(at + "self_attn.rotary_emb.inv_freq");  // old shards carry it; it follows from theta
    }
    norm_ = {from.vector("model.norm.weight", h), c.norm_eps};
    if (!c.tied) lm_head_ = from.matrix("lm_head.weight", c.vocabulary, h);
    from.finish();
  }

  var<T> body(tape<B>& t, nn::step_context<B, T>& step) override {
    var<T> x = embed_tokens_.forward(t, step.batch.tokens);
    const var<T> table = ops::rotary_table<T>(t, step.batch.positions, config_.rope, config_.rope_factor);
    if (step.observers.hidden) step.observers.hidden->push_back(x);
    for (const auto& block : blocks_) {
      x = t.stretch(step.mode.recompute, [&] { return block->forward(t, x, table, step); });
      if (step.observers.hidden) step.observers.hidden->push_back(x);
    }
    return x;
  }
  var<T> final_norm(tape<B>& t, var<T> x) override { return norm_.forward(t, x); }

  var<T> logits(tape<B>& t, var<T> rows) override {
    const nn::weight<B, T>& head = this->head();
    if (head.trainable()) return ops::linear(t, rows, t.use(*head.parameter()));
    const frozen_var w = t.frozen(head.values());
    return ops::frozen_linear<B, T>(t, rows, {&w, 1}, {}, backend::operand_rounding::avoided);
  }

  ops::loss_and_nll<T> loss(tape<B>& t, nn::step_context<B, T>& step) override {
    // The norm acts on rows, so it is applied to the answer's alone.
    const var<T> rows = final_norm(t, ops::gather_rows(t, body(t, step), step.batch.answer_rows));
    const nn::weight<B, T>& head = this->head();
    return head.trainable()
               ? ops::cross_entropy(t, logits(t, rows), step.batch.targets, step.batch.loss_scale)
               : ops::linear_cross_entropy(t, rows, t.frozen(head.values()), step.batch.targets, step.batch.loss_scale);
  }

  std::vector<nn::projection_group<B, T>*> groups() override {
    std::vector<nn::projection_group<B, T>*> out;
    for (auto& block : blocks_)
      for (auto* group : {&block->attention.qkv, &block->attention.o, &block->mlp.gate_up, &block->mlp.down})
        out.push_back(group);
    return out;
  }
  std::vector<param<B, T>*> parameters() override { return parameters_of(embed_tokens_, blocks_, norm_, lm_head_); }
  nn::kv_cache<B, T> make_cache(index_t capacity) const override {
    nn::kv_cache<B, T> cache;
    const shape extents{capacity, index_t(config_.kv_heads) * config_.head_dim};
    for (int i = 0; i < config_.layers; ++i)
      cache.layers.push_back({array<B, T>(*device_, extents), array<B, T>(*device_, extents)});
    return cache;
  }

  int hidden_size() const override { return config_.hidden_size; }
  int layers() const override { return config_.layers; }
  int vocabulary() const override { return config_.vocabulary; }
  int context() const override { return config_.context; }
  std::string architecture() const override { return config_.model_type; }

 private:
  const nn::weight<B, T>& head() const { return config_.tied ? embed_tokens_.table : lm_head_; }

  llama_config config_;
  B* device_;
  nn::embedding<B, T> embed_tokens_;
  std::vector<std::unique_ptr<llama_block<B, T>>> blocks_;
  nn::rms_norm<B, T> norm_;
  nn::weight<B, T> lm_head_;
};

}  // namespace mor1e::models
