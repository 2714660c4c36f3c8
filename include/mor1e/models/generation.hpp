// Text one token at a time: a model with its cache of keys and values, and the choice of the next token.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "mor1e/core/rng.hpp"
#include "mor1e/models/batch.hpp"
#include "mor1e/models/language_model.hpp"
#include "mor1e/ops/gather_rows.hpp"

namespace mor1e::models {

/// A sequence that grows. Each token is computed once: its keys and values stay in the cache.
template <class B, class T>
class generation {
 public:
  /// Room for `capacity` tokens, at most the model's context (`value_error`). `intuition` [1, clusters]: for methods
  /// that use it.
  generation(B& device, language_model<B, T>& model, index_t capacity, view<const T> intuition = {})
      : device_(&device),
        model_(&model),
        capacity_(capacity),
        intuition_(intuition),
        cache_(model.make_cache(capacity)) {
    require<value_error>(capacity >= 1 && capacity <= model.context(), "generation: a sequence of ", capacity,
                         " tokens, the context of the model is ", model.context());
  }

  /// Appends tokens; returns the logits of the token that follows them, [1, vocabulary].
  tensor<T> push(std::span<const std::int32_t> tokens) {
    const index_t count = index_t(tokens.size());
    require<value_error>(count >= 1 && length_ + count <= capacity_, "generation: ", count, " tokens behind ", length_,
                         " in a sequence of at most ", capacity_);
    const auto next = std::int32_t(length_), rows = std::int32_t(count);
    data::packed_batch batch;
    batch.tokens.assign(tokens.begin(), tokens.end());
    batch.positions.resize(tokens.size());
    std::iota(batch.positions.begin(), batch.positions.end(), next);
    batch.instances.assign(tokens.size(), 0);
    batch.segments = {{.begin = 0, .end = rows, .keys = next, .prefix_begin = 0, .prefix_end = next}};

    tape<B> t(*device_, recording::forward);
    auto step = place_batch<B, T>(t, batch);
    if (intuition_.data) step.batch.intuition = t.input(intuition_);
    step.cache = &cache_;
    const std::int32_t last = rows - 1;
    const var<T> row = ops::gather_rows(t, model_->body(t, step), t.input(view<const std::int32_t>(&last, 1, 1)));
    const var<T> logits = model_->logits(t, model_->final_norm(t, row));
    length_ += count;
    return t.read(logits);
  }

  index_t length() const { return length_; }
  index_t capacity() const { return capacity_; }

 private:
  B* device_;
  language_model<B, T>* model_;
  index_t capacity_, length_ = 0;
  view<const T> intuition_;
  nn::kv_cache<B, T> cache_;
};

/// How the next token is drawn from logits z.
struct sampling_options {
  double temperature = 0;  ///< p = softmax(z / temperature); 0: the largest, the first of equal ones
  int top_k = 0;           ///< only the k largest; 0: all
  double top_p = 1;        ///< only the smallest set of the largest whose probabilities reach this
};

/// Throws `value_error` for options outside their domain, and for logits that are not finite.
template <class T>
std::int32_t choose_token(const tensor<T>& logits, const sampling_options& options, rng& random) {
  require<value_error>(options.temperature >= 0 && options.top_k >= 0 && options.top_p > 0 && options.top_p <= 1,
                       "sampling: temperature ", options.temperature, ", top_k ", options.top_k, ", top_p ",
                       options.top_p, ": need >= 0, >= 0, in (0, 1]");
  const auto bad = std::find_if(logits.begin(), logits.end(), [](T z) { return !std::isfinite(z); });
  require<value_error>(bad == logits.end(), "sampling: the logit of token ", bad - logits.begin(), " is not finite");
  const auto largest = std::int32_t(std::max_element(logits.begin(), logits.end()) - logits.begin());
  if (options.temperature == 0) return largest;

  std::vector<std::int32_t> order(std::size_t(logits.size()));
  std::iota(order.begin(), order.end(), 0);
  const auto before = [&](std::int32_t a, std::int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  const std::size_t kept = options.top_k > 0 ? std::min(order.size(), std::size_t(options.top_k)) : order.size();
  std::partial_sort(order.begin(), order.begin() + std::ptrdiff_t(kept), order.end(), before);
  order.resize(kept);

  std::vector<double> weights;
  for (const std::int32_t token : order)
    weights.push_back(std::exp((double(logits[token]) - double(logits[largest])) / options.temperature));
  const double wanted = options.top_p * std::accumulate(weights.begin(), weights.end(), 0.0);
  std::size_t count = 0;
  double mass = 0;
  while (count < kept && mass < wanted) mass += weights[count++];

  double left = random.uniform() * mass;
  for (std::size_t i = 0; i + 1 < count; ++i)
    if ((left -= weights[i]) < 0) return order[i];
  return order[count - 1];
}

}  // namespace mor1e::models
