// Bloom: LayerNorm, also on the embedding, ALiBi in place of positions, q, k and v of each head side by side.
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

namespace mor1e::models {

template <class B, class T>
using bloom_block = nn::pre_norm_block<nn::layer_norm<B, T>, nn::attention<B, T>, nn::mlp<B, T, ops::gelu_tanh_op>>;

template <class B, class T>
class bloom final : public decoder<B, T, bloom_block<B, T>, nn::layer_norm<B, T>> {
 public:
  static std::vector<std::string> model_types() { return {"bloom"}; }
  static std::unique_ptr<bloom> make(loader<B, T> from) {
    const bloom_config config = read_bloom_config(from.source().config, from.source().path.string());
    return std::make_unique<bloom>(std::move(from), config);
  }

  bloom(loader<B, T> from, const bloom_config& c)
      : bloom::decoder(from.device(), {.model_type = "bloom",
                                       .hidden_size = c.hidden_size,
                                       .vocabulary = c.vocabulary,
                                       .context = c.context,
                                       .kv_heads = c.heads,
                                       .head_dim = c.hidden_size / c.heads}) {
    const index_t h = c.hidden_size;
    const int head_dim = c.hidden_size / c.heads;
    const auto norm = [&](const std::string& at) -> nn::layer_norm<B, T> {
      return {from.vector(at + ".weight", h), from.vector(at + ".bias", h), c.norm_eps};
    };
    this->embed_tokens_.table = from.matrix("transformer.word_embeddings.weight", c.vocabulary, h);
    embedding_norm_ = norm("transformer.word_embeddings_layernorm");
    for (int i = 0; i < c.layers; ++i) {
      const std::string at = "transformer.h." + std::to_string(i) + ".";
      auto block = std::make_unique<bloom_block<B, T>>();
      block->input_norm = norm(at + "input_layernorm");
      block->attention = {from.group(at, h, {{"self_attention.query_key_value", 3 * h}}, true),
                          from.group(at, h, {{"self_attention.dense", h}}, true),
                          {.heads = c.heads,
                           .kv_heads = c.heads,
                           .head_dim = head_dim,
                           .scale = 1 / std::sqrt(double(head_dim)),
                           .alibi = true,
                           .interleaved = true},
                          i};
      block->mlp_norm = norm(at + "post_attention_layernorm");
      block->mlp = {from.group(at, h, {{"mlp.dense_h_to_4h", 4 * h}}, true),
                    from.group(at, 4 * h, {{"mlp.dense_4h_to_h", h}}, true)};
      this->blocks_.push_back(std::move(block));
    }
    this->norm_ = norm("transformer.ln_f");
    if (!c.tied) this->lm_head_ = from.matrix("lm_head.weight", c.vocabulary, h);
    from.finish();
  }

  std::vector<param<B, T>*> parameters() override {
    std::vector<param<B, T>*> out = bloom::decoder::parameters();
    for (auto* p : embedding_norm_.parameters()) out.push_back(p);
    return out;
  }

 protected:
  var<T> embed(tape<B>& t, nn::step_context<B, T>& step) const override {
    return embedding_norm_.forward(t, this->embed_tokens_.forward(t, step.batch.tokens));
  }

 private:
  nn::layer_norm<B, T> embedding_norm_;
};

}  // namespace mor1e::models
