// Sentences as vectors of unit length.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/models/batch.hpp"
#include "mor1e/models/embedding.hpp"
#include "mor1e/models/registry.hpp"
#include "mor1e/models/stored_embedder.hpp"
#include "mor1e/models/toy.hpp"
#include "mor1e/text/unicode.hpp"

namespace mor1e::models {

/// Counts character trigrams, each hashed to one of 64 directions with a sign. Knows no meaning, only spelling.
class trigram_embedder final : public sentence_embedder {
 public:
  tensor<float> embed(std::span<const std::string> sentences, const embedding_progress& progress = {}) override;
  index_t dimension() const override { return 64; }
  std::string id() const override { return toy_name; }
  const std::string& hash() override { return hash_; }

 private:
  std::string hash_ = "trigrams-1";
};

struct embedding_options {
  index_t tokens = 2048;   ///< of a batch; at least a sentence of maximal length fits
  index_t max_length = 0;  ///< tokens a sentence is cut to, the special ones included; 0: what the model's files say
};

/// An encoder with the pooling and normalisation that its folder says (see `read_sentence_modules`). Sentences are
/// embedded in batches of similar length, which no vector depends on.
template <class B>
class encoder_embedder final : public sentence_embedder {
 public:
  /// Throws as `load_encoder` and `open_tokenizer`, and `value_error` for a maximal length beyond the context.
  encoder_embedder(B& device, const std::string& model, const embedding_options& options = {})
      : device_(&device),
        id_(std::filesystem::exists(model) ? std::filesystem::canonical(model).string() : model),
        from_(std::make_shared<io::checkpoint>(open(model))),
        model_(load_encoder<B, float>(device, from_)),
        tokenizer_(open_tokenizer(model)),
        options_(options) {
    const sentence_modules& modules = model_->modules();
    const index_t context = model_->context();
    if (options_.max_length == 0)
      options_.max_length = modules.max_length ? std::min(modules.max_length, context) : context;
    options_.tokens = std::max(options_.tokens, options_.max_length);
    require<value_error>(options_.max_length > 0 && options_.max_length <= model_->context(), from_->path.string(),
                         ": sentences of ", options_.max_length, " tokens, the context of the model is ",
                         model_->context());
  }

  tensor<float> embed(std::span<const std::string> sentences, const embedding_progress& progress = {}) override {
    std::vector<data::encoded_example> encoded;
    for (const std::string& sentence : sentences) {
      auto ids = tokenizer_.encode(model_->modules().lower_case ? texts::lower_case(sentence) : sentence, true,
                                   std::size_t(options_.max_length));
      for (const std::int32_t id : ids)
        require<value_error>(id < model_->vocabulary(), from_->path.string(), ": the tokenizer gives token ", id,
                             ", the model has ", model_->vocabulary());
      require<value_error>(!ids.empty(), from_->path.string(), ": sentence ", encoded.size(), " has no tokens");
      const auto length = index_t(ids.size());
      encoded.push_back({text("sentence ", encoded.size()), std::move(ids), length, index_t(encoded.size())});
    }
    std::vector<index_t> order(encoded.size());
    std::iota(order.begin(), order.end(), index_t(0));
    std::stable_sort(order.begin(), order.end(),
                     [&](index_t a, index_t b) { return encoded[a].ids.size() > encoded[b].ids.size(); });

    tensor<float> out(shape{index_t(sentences.size()), dimension()});
    std::size_t done = 0;
    const data::packing_options packing{.tokens = options_.tokens,
                                        .context = options_.max_length,
                                        .row_bucket = 1,
                                        .segment_bucket = 1,
                                        .answer_bucket = 1};
    for (const auto& batch : data::pack(encoded, order, packing)) {
      tape<B> t(*device_, recording::forward);
      auto step = place_batch<B, float>(t, batch, limits_of(*model_));
      const tensor<float> rows = t.read(model_->embedding(t, model_->forward(t, step), step, batch));
      for (index_t i = 0; i < batch.examples; ++i)
        std::copy_n(rows.data() + i * dimension(), dimension(),
                    out.data() + order[done + std::size_t(i)] * dimension());
      done += std::size_t(batch.examples);
      if (progress) progress(done, sentences.size());
    }
    return out;
  }

  index_t dimension() const override { return model_->hidden_size(); }
  std::string id() const override { return id_; }
  /// Of the weights; other modules on the same weights are another embedder.
  const std::string& hash() override {
    if (hash_.empty()) {
      const std::string label = model_->modules().label();
      hash_ = from_->hash() + (label.empty() ? "" : " (" + label + ")");
    }
    return hash_;
  }

 private:
  B* device_;
  std::string id_;
  std::shared_ptr<io::checkpoint> from_;
  std::unique_ptr<encoder<B, float>> model_;
  std::string hash_;
  texts::tokenizer tokenizer_;
  embedding_options options_;
};

/// An embedder by name: the folder of an encoder, a short name ("minilm"), "toy" for trigrams, or a .safetensors file
/// of vectors that are made already. Throws as `encoder_embedder` and `stored_embedder`.
template <class B>
std::unique_ptr<sentence_embedder> load_sentence_embedder(B& device, const std::string& model,
                                                          const embedding_options& options = {}) {
  if (model == toy_name) return std::make_unique<trigram_embedder>();
  if (model.ends_with(".safetensors")) return std::make_unique<stored_embedder>(model);
  return std::make_unique<encoder_embedder<B>>(device, model, options);
}

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/sentence_embedder.ipp"
#endif
