// Batches on their way to a model: padded arrays as files hold them, packed rows as models read them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/core/tensor.hpp"
#include "mor1e/data/packing.hpp"
#include "mor1e/nn/step_context.hpp"

namespace mor1e::io {
class safetensors_file;
}

namespace mor1e::models {

/// A label that is no target.
inline constexpr std::int32_t ignored_label = -100;

/// Sequences padded to one length, on the right, on the left, or on both sides.
struct padded_batch {
  tensor<std::int32_t> input_ids;  ///< [sequences, length]
  tensor<std::int32_t> labels;     ///< the same, `ignored_label` where there is no target; or empty
  std::vector<index_t> lengths;    ///< tokens of each sequence, at least 1
  std::vector<index_t> starts;     ///< where the first of them is; empty: at 0 in each
  std::string where;               ///< the file, for errors

  index_t sequences() const { return input_ids.extents()[0]; }
  index_t length() const { return input_ids.extents()[1]; }
  index_t start(index_t sequence) const { return starts.empty() ? 0 : starts[std::size_t(sequence)]; }
};

/// Reads `input_ids`, `attention_mask` (all ones if there is none) and `labels` (optional), integers [sequences,
/// length]. Throws `io_error` naming file and tensor, and `value_error` for a row without a token or with padding
/// between two.
padded_batch read_padded_batch(const io::safetensors_file& file);

/// Throws `value_error` naming tensor, place and both numbers for an id beyond the vocabulary, or a sequence beyond the
/// context.
void check_batch(const padded_batch& batch, index_t vocabulary, index_t context);

/// The tokens without the padding, sequence i being instance i, positions counted from its first token. Targets are the
/// labels: row t answers with label t + 1, so a first token is none.
data::packed_batch pack(const padded_batch& batch);

/// Packed rows [rows, n] at their places in [sequences, length, n]; zeros where the padding is.
template <class T>
tensor<T> unpack(const tensor<T>& rows, const padded_batch& batch) {
  const index_t n = rows.extents().cols();
  tensor<T> out(shape{batch.sequences(), batch.length(), n}, T(0));
  const T* from = rows.data();
  for (index_t i = 0; i < batch.sequences(); ++i) {
    const index_t count = batch.lengths[std::size_t(i)] * n;
    std::copy(from, from + count, out.data() + (i * batch.length() + batch.start(i)) * n);
    from += count;
  }
  return out;
}

/// The numbers that fix the shapes of a pass.
struct batch_size {
  index_t rows = 0;
  index_t sequences = 0;
  index_t answers = 0;
};
inline batch_size size_of(const data::packed_batch& batch) {
  return {batch.rows(), index_t(batch.segments.size()), index_t(batch.answer_rows.size())};
}

/// The inputs of a pass, to be filled before it runs (an eager tape runs as it records, so at once).
template <class B, class T>
nn::step_context<B, T> declare_batch(tape<B>& t, batch_size size) {
  nn::step_context<B, T> step;
  step.tokens = t.template input<std::int32_t>(size.rows, 1);
  step.positions = t.template input<std::int32_t>(size.rows, 1);
  step.segments = t.template input<std::int32_t>(size.sequences, segment_fields);
  step.instances = t.template input<std::int32_t>(size.rows, 1);
  if (size.answers > 0) {
    step.answer_rows = t.template input<std::int32_t>(size.answers, 1);
    step.targets = t.template input<std::int32_t>(size.answers, 1);
    step.loss_scale = t.template input<T>(1, 1);
  }
  return step;
}

/// Copies a batch into the inputs of `step`; `at` is the tape or the plan that holds them. The loss is `loss_scale`
/// times the sum over the targets.
template <class Where, class B, class T>
void fill_batch(Where& at, const nn::step_context<B, T>& step, const data::packed_batch& batch, double loss_scale) {
  const auto column = [](const std::vector<std::int32_t>& values) {
    return view<const std::int32_t>(values.data(), index_t(values.size()), 1);
  };
  at.fill(step.tokens, column(batch.tokens));
  at.fill(step.positions, column(batch.positions));
  at.fill(step.segments,
          view<const std::int32_t>(&batch.segments.data()->begin, index_t(batch.segments.size()), segment_fields));
  at.fill(step.instances, column(batch.instances));
  if (!step.answer_rows) return;
  at.fill(step.answer_rows, column(batch.answer_rows));
  at.fill(step.targets, column(batch.targets));
  const T scale = T(loss_scale);
  at.fill(step.loss_scale, view<const T>(&scale, 1, 1));
}

/// A batch on an eager tape, with the mean over its targets as loss.
template <class B, class T>
nn::step_context<B, T> place_batch(tape<B>& t, const data::packed_batch& batch) {
  nn::step_context<B, T> step = declare_batch<B, T>(t, size_of(batch));
  fill_batch(t, step, batch, batch.live_targets > 0 ? 1.0 / double(batch.live_targets) : 0);
  return step;
}

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/batch.ipp"
#endif
