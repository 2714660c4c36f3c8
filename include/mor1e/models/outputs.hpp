// Everything a model says about a padded batch, as host arrays.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "mor1e/models/batch.hpp"
#include "mor1e/models/encoder.hpp"
#include "mor1e/models/language_model.hpp"
#include "mor1e/ops/cross_entropy.hpp"
#include "mor1e/ops/gather_rows.hpp"

namespace mor1e::models {

/// Rows of padding are not computed, and are 0 here.
template <class T>
struct decoder_outputs {
  tensor<T> logits;               ///< [sequences, length, vocabulary]
  std::vector<tensor<T>> hidden;  ///< input of the first block and output of each  [sequences, length, hidden]
  tensor<T> hidden_final;         ///< after the final norm
  std::optional<double> loss;     ///< mean over the labels that are targets; none without
};

/// `intuition`: one row for each sequence, for methods that use it.
template <class B, class T>
decoder_outputs<T> outputs_of(B& device, language_model<B, T>& model, const padded_batch& batch,
                              view<const T> intuition = {}) {
  check_batch(batch, limits_of(model));
  const data::packed_batch packed = pack(batch);
  tape<B> t(device, recording::forward);
  auto step = place_batch<B, T>(t, packed, limits_of(model));
  if (intuition.data) step.batch.intuition = t.input(intuition);
  std::vector<var<T>> hidden;
  step.observers.hidden = &hidden;
  const var<T> last = model.final_norm(t, model.body(t, step));
  const var<T> logits = model.logits(t, last);

  decoder_outputs<T> out;
  out.logits = unpack(t.read(logits), batch);
  for (const var<T> h : hidden) out.hidden.push_back(unpack(t.read(h), batch));
  out.hidden_final = unpack(t.read(last), batch);
  if (packed.live_targets > 0) {
    const var<T> loss = ops::cross_entropy(t, ops::gather_rows(t, logits, step.batch.answer_rows), step.batch.targets,
                                           step.batch.loss_scale)
                            .loss;
    out.loss = double(t.read_scalar(loss));
  }
  return out;
}

template <class T>
struct encoder_outputs {
  tensor<T> last_hidden_state;  ///< [sequences, length, hidden]
  tensor<T> mean;               ///< over the tokens of each sequence  [sequences, hidden]
  tensor<T> embedding;          ///< what `embed` gives: the mean with unit length, unless the folder says otherwise
};

template <class B, class T>
encoder_outputs<T> outputs_of(B& device, const encoder<B, T>& model, const padded_batch& batch) {
  check_batch(batch, limits_of(model));
  data::packed_batch packed = pack(batch);
  // Learned positions count from the beginning of the row, padding or not, as Transformers does.
  for (index_t i = 0; i < batch.sequences(); ++i) {
    const segment& rows = packed.segments[std::size_t(i)];
    require<value_error>(batch.start(i) + rows.end - rows.begin <= model.context(), batch.where, ": input_ids row ", i,
                         " ends at ", batch.start(i) + rows.end - rows.begin, ", the context of the model is ",
                         model.context());
    for (index_t row = rows.begin; row < rows.end; ++row)
      packed.positions[std::size_t(row)] += std::int32_t(batch.start(i));
  }
  tape<B> t(device, recording::forward);
  auto step = place_batch<B, T>(t, packed, limits_of(model));
  const var<T> hidden = model.forward(t, step), mean = model.mean(t, hidden, step),
               embedding = model.embedding(t, hidden, step, packed);
  return {unpack(t.read(hidden), batch), t.read(mean), t.read(embedding)};
}

}  // namespace mor1e::models
