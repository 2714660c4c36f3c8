// What the decoders of the library share: an embedding, blocks of one kind, a norm and a head.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/models/language_model.hpp"
#include "mor1e/nn/embedding.hpp"
#include "mor1e/ops/gather_rows.hpp"
#include "mor1e/ops/linear_cross_entropy.hpp"

namespace mor1e::models {

/// What `language_model` tells of a decoder, and the sizes of its cache.
struct decoder_sizes {
  std::string model_type;
  int hidden_size = 0;
  int vocabulary = 0;
  int context = 0;
  int kv_heads = 0;
  int head_dim = 0;
};

/// logits = head(norm(blocks(embed(tokens)))). A model's constructor takes its weights; it says what goes into the
/// first block, and where its positions come in. A block has `attention` and `mlp` with their groups.
template <class B, class T, class Block, class Norm>
class decoder : public language_model<B, T> {
 public:
  var<T> body(tape<B>& t, nn::step_context<B, T>& step) override {
    var<T> x = embed(t, step);
    const var<T> table = rotary_table(t, step);
    if (step.observers.hidden) step.observers.hidden->push_back(x);
    for (const auto& block : blocks_) {
      x = t.stretch(step.mode.recompute, [&] { return block->forward(t, x, table, step); });
      if (step.observers.hidden) step.observers.hidden->push_back(x);
    }
    return x;
  }
  var<T> final_norm(tape<B>& t, var<T> x) override { return norm_.forward(t, x); }

  var<T> logits(tape<B>& t, var<T> rows) override {
    const var<T> bias = head_bias_ ? head_bias_.on(t) : var<T>{};
    if (head().trainable()) return ops::linear(t, rows, t.use(*head().parameter()), bias);
    const frozen_var w = t.frozen(head().values());
    return ops::frozen_linear<B, T>(t, rows, {&w, 1}, {&bias, head_bias_ ? 1u : 0u},
                                    backend::operand_rounding::avoided);
  }

  ops::loss_and_nll<T> loss(tape<B>& t, nn::step_context<B, T>& step) override {
    // The norm acts on rows, so it is applied to the answer's alone.
    const var<T> rows = final_norm(t, ops::gather_rows(t, body(t, step), step.batch.answer_rows));
    if (head().trainable() || head_bias_)
      return ops::cross_entropy(t, logits(t, rows), step.batch.targets, step.batch.loss_scale);
    return ops::linear_cross_entropy(t, rows, t.frozen(head().values()), step.batch.targets, step.batch.loss_scale);
  }

  std::vector<nn::projection_group<B, T>*> groups() override {
    std::vector<nn::projection_group<B, T>*> out;
    for (auto& block : blocks_) {
      for (auto* group : block->attention.groups()) out.push_back(group);
      for (auto* group : block->mlp.groups()) out.push_back(group);
    }
    return out;
  }
  std::vector<param<B, T>*> parameters() override {
    return parameters_of(embed_tokens_, blocks_, norm_, lm_head_, head_bias_);
  }
  nn::kv_cache<B, T> make_cache(index_t capacity) const override {
    nn::kv_cache<B, T> cache;
    const shape extents{capacity, index_t(sizes_.kv_heads) * sizes_.head_dim};
    for (int i = 0; i < layers(); ++i)
      cache.layers.push_back({array<B, T>(*device_, extents), array<B, T>(*device_, extents)});
    return cache;
  }

  int hidden_size() const override { return sizes_.hidden_size; }
  int layers() const override { return int(blocks_.size()); }
  int vocabulary() const override { return sizes_.vocabulary; }
  int context() const override { return sizes_.context; }
  std::string architecture() const override { return sizes_.model_type; }

 protected:
  decoder(B& device, decoder_sizes sizes) : device_(&device), sizes_(std::move(sizes)) {}

  /// What goes into the first block.                                                               [rows, hidden]
  virtual var<T> embed(tape<B>& t, nn::step_context<B, T>& step) const {
    return embed_tokens_.forward(t, step.batch.tokens);
  }
  /// The cosines and sines by which attention turns q and k; none for models without rotary positions.
  virtual var<T> rotary_table(tape<B>&, nn::step_context<B, T>&) const { return {}; }

  nn::embedding<B, T> embed_tokens_;
  std::vector<std::unique_ptr<Block>> blocks_;
  Norm norm_;
  nn::weight<B, T> lm_head_;  ///< empty where the head is the embedding's table
  nn::vector_weight<B, T> head_bias_;

 private:
  const nn::weight<B, T>& head() const { return lm_head_.rows() > 0 ? lm_head_ : embed_tokens_.table; }

  B* device_;
  decoder_sizes sizes_;
};

}  // namespace mor1e::models
