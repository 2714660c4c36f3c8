// nomic-embed-text: a BERT with rotary positions, a gate of SiLU and no biases but those of its norms.
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/models/config.hpp"
#include "mor1e/models/encoder.hpp"
#include "mor1e/models/loader.hpp"
#include "mor1e/nn/attention.hpp"
#include "mor1e/nn/block.hpp"
#include "mor1e/nn/embedding.hpp"
#include "mor1e/nn/mlp.hpp"
#include "mor1e/nn/norm.hpp"
#include "mor1e/ops/rotary_table.hpp"
#include "mor1e/ops/silu.hpp"

namespace mor1e::models {

template <class B, class T>
using nomic_bert_block =
    nn::post_norm_block<nn::layer_norm<B, T>, nn::attention<B, T>, nn::gated_mlp<B, T, ops::silu_op>>;

/// Keys with or without "nomic_bert.".
template <class B, class T>
class nomic_bert final : public encoder<B, T> {
 public:
  nomic_bert(loader<B, T> from, const nomic_bert_config& c, const sentence_modules& modules = {})
      : encoder<B, T>(modules, {c.hidden_size, c.vocabulary, c.context}), rope_(c.rope) {
    const std::string prefix = from.has("nomic_bert.embeddings.word_embeddings.weight") ? "nomic_bert." : "";
    const index_t h = c.hidden_size, inner = c.intermediate_size;
    const int head_dim = c.hidden_size / c.heads;
    const auto norm = [&](const std::string& at) -> nn::layer_norm<B, T> {
      return {from.vector(at + ".weight", h), from.vector(at + ".bias", h), c.norm_eps};
    };
    // Every token is of type 0, so that row is part of each word's.
    tensor<T> words = from.host(prefix + "embeddings.word_embeddings.weight", c.vocabulary, h);
    const tensor<T> types = from.host(prefix + "embeddings.token_type_embeddings.weight", c.types, h);
    for (index_t i = 0; i < words.size(); ++i) words[i] += types[i % h];
    words_.table = from.frozen_matrix(std::move(words));
    norm_ = norm(prefix + "emb_ln");
    for (int i = 0; i < c.layers; ++i) {
      const std::string at = prefix + "encoder.layers." + std::to_string(i) + ".";
      auto block = std::make_unique<nomic_bert_block<B, T>>();
      block->attention = {from.group(at, h, {{"attn.Wqkv", 3 * h}}, false),
                          from.group(at, h, {{"attn.out_proj", h}}, false),
                          {.heads = c.heads,
                           .kv_heads = c.heads,
                           .head_dim = head_dim,
                           .scale = 1 / std::sqrt(double(head_dim)),
                           .causal = false},
                          i};
      block->attention_norm = norm(at + "norm1");
      block->mlp = {from.group(at, h, {{"mlp.fc12", inner}, {"mlp.fc11", inner}}, false),  // the gate is fc12
                    from.group(at, inner, {{"mlp.fc2", h}}, false)};
      block->mlp_norm = norm(at + "norm2");
      blocks_.push_back(std::move(block));
    }
    from.finish();
  }

  var<T> forward(tape<B>& t, nn::step_context<B, T>& step) const override {
    const var<T> table = ops::rotary_table<T>(t, step.batch.positions, rope_);
    var<T> x = norm_.forward(t, words_.forward(t, step.batch.tokens));
    for (const auto& block : blocks_) x = t.stretch(false, [&] { return block->forward(t, x, table, step); });
    return x;
  }

 private:
  rotary_frequencies rope_;
  nn::embedding<B, T> words_;
  nn::layer_norm<B, T> norm_;
  std::vector<std::unique_ptr<nomic_bert_block<B, T>>> blocks_;
};

}  // namespace mor1e::models
