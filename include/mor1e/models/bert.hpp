// BERT encoders (all-MiniLM-L6-v2): learned positions, post-norm blocks, erf GELU.
#pragma once

#include <cmath>
#include <memory>
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
#include "mor1e/ops/gelu_erf.hpp"

namespace mor1e::models {

template <class B, class T>
using bert_block = nn::post_norm_block<nn::layer_norm<B, T>, nn::attention<B, T>, nn::mlp<B, T, ops::gelu_erf_op>>;

/// Keys with or without "bert.", norms as weight/bias or gamma/beta.
template <class B, class T>
class bert final : public encoder<B, T> {
 public:
  bert(loader<B, T> from, const bert_config& c, const sentence_modules& modules = {})
      : encoder<B, T>(modules, {c.hidden_size, c.vocabulary, c.context}) {
    const std::string prefix = from.has("bert.embeddings.word_embeddings.weight") ? "bert." : "";
    const index_t h = c.hidden_size;
    const auto norm = [&](const std::string& at) -> nn::layer_norm<B, T> {
      const bool old = from.has(at + ".gamma");
      return {from.vector(at + (old ? ".gamma" : ".weight"), h), from.vector(at + (old ? ".beta" : ".bias"), h),
              c.norm_eps};
    };
    const std::string embeddings = prefix + "embeddings.";
    words_.table = from.matrix(embeddings + "word_embeddings.weight", c.vocabulary, h);
    // Every token is of type 0, so that row is part of each position's.
    tensor<T> positions = from.host(embeddings + "position_embeddings.weight", c.context, h);
    const tensor<T> types = from.host(embeddings + "token_type_embeddings.weight", c.types, h);
    for (index_t i = 0; i < positions.size(); ++i) positions[i] += types[i % h];
    positions_.table = from.frozen_matrix(std::move(positions));
    norm_ = norm(embeddings + "LayerNorm");
    for (int i = 0; i < c.layers; ++i) {
      const std::string at = prefix + "encoder.layer." + std::to_string(i) + ".";
      auto block = std::make_unique<bert_block<B, T>>();
      const int head_dim = c.hidden_size / c.heads;
      block->attention = {
          from.group(at, h, {{"attention.self.query", h}, {"attention.self.key", h}, {"attention.self.value", h}},
                     true),
          from.group(at, h, {{"attention.output.dense", h}}, true),
          {.heads = c.heads,
           .kv_heads = c.heads,
           .head_dim = head_dim,
           .scale = 1 / std::sqrt(double(head_dim)),
           .causal = false},
          i};
      block->attention_norm = norm(at + "attention.output.LayerNorm");
      block->mlp = {from.group(at, h, {{"intermediate.dense", c.intermediate_size}}, true),
                    from.group(at, c.intermediate_size, {{"output.dense", h}}, true)};
      block->mlp_norm = norm(at + "output.LayerNorm");
      blocks_.push_back(std::move(block));
    }
    // Not part of the encoder: index buffers and heads.
    from.ignore(embeddings + "position_ids");
    from.ignore_prefix(prefix + "pooler.");
    from.ignore_prefix("cls.");
    from.finish();
  }

  var<T> forward(tape<B>& t, nn::step_context<B, T>& step) const override {
    var<T> x = norm_.forward(
        t, ops::add(t, words_.forward(t, step.batch.tokens), positions_.forward(t, step.batch.positions)));
    for (const auto& block : blocks_) x = t.stretch(false, [&] { return block->forward(t, x, {}, step); });
    return x;
  }

 private:
  nn::embedding<B, T> words_, positions_;
  nn::layer_norm<B, T> norm_;
  std::vector<std::unique_ptr<bert_block<B, T>>> blocks_;
};

}  // namespace mor1e::models
