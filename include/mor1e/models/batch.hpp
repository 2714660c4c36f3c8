// Batches on their way to a model: padded arrays as files hold them, packed rows as models read them.
#pragma once

#include <algorithm>
#include <compare>
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
  index_t rows = 0;  ///< tokens
  index_t sequences = 0;
  index_t answers = 0;  ///< rows with a target

  friend auto operator<=>(const batch_size&, const batch_size&) = default;
};
inline batch_size size_of(const data::packed_batch& batch) {
  return {batch.rows(), index_t(batch.segments.size()), index_t(batch.answer_rows.size())};
}

/// Inputs that not every pass has.
struct batch_extras {
  bool token_scale = false;  ///< for auxiliary losses
  bool draws = false;        ///< random numbers
  bool types = false;        ///< the type of each sequence's task
  index_t clusters = 0;      ///< columns of an intuition with a row for each sequence; 0: none
};

/// The inputs of a pass, to be filled before it runs (an eager tape runs as it records, so at once).
template <class B, class T>
nn::step_context<B, T> declare_batch(tape<B>& t, batch_size size, const batch_extras& extras = {}) {
  nn::step_context<B, T> step;
  step.batch.tokens = t.template input<std::int32_t>(size.rows, 1);
  step.batch.positions = t.template input<std::int32_t>(size.rows, 1);
  step.batch.segments = t.template input<std::int32_t>(size.sequences, segment_fields);
  step.batch.instances = t.template input<std::int32_t>(size.rows, 1);
  if (size.answers > 0) {
    step.batch.answer_rows = t.template input<std::int32_t>(size.answers, 1);
    step.batch.targets = t.template input<std::int32_t>(size.answers, 1);
    step.batch.loss_scale = t.template input<T>(1, 1);
  }
  if (extras.token_scale) step.batch.token_scale = t.template input<T>(1, 1);
  if (extras.draws) {
    step.batch.examples = t.template input<std::int32_t>(size.rows, 1);
    step.batch.draw = t.template input<std::int32_t>(1, 2);
  }
  if (extras.types) step.batch.types = t.template input<T>(size.sequences, 1);
  if (extras.clusters) step.batch.intuition = t.template input<T>(size.sequences, extras.clusters);
  return step;
}

/// The numbers of a pass that its batch does not hold.
struct batch_scales {
  double loss = 0;         ///< the loss is so many times the sum over the targets
  double token = 0;        ///< 1 / tokens of the whole step
  std::uint64_t draw = 0;  ///< key of its random numbers
};

/// Copies a batch into the inputs of `step`; `at` is the tape or the plan that holds them. `instances`: the row of
/// `step.batch.intuition` of each token, -1 for dead rows.
template <class Where, class B, class T>
void fill_batch(Where& at, const nn::step_context<B, T>& step, const data::packed_batch& batch,
                const std::vector<std::int32_t>& instances, const batch_scales& scales) {
  const auto column = [](const std::vector<std::int32_t>& values) {
    return view<const std::int32_t>(values.data(), index_t(values.size()), 1);
  };
  const auto number = [&](var<T> to, double value) {
    const T as_stored = T(value);
    at.fill(to, view<const T>(&as_stored, 1, 1));
  };
  at.fill(step.batch.tokens, column(batch.tokens));
  at.fill(step.batch.positions, column(batch.positions));
  at.fill(step.batch.segments,
          view<const std::int32_t>(&batch.segments.data()->begin, index_t(batch.segments.size()), segment_fields));
  at.fill(step.batch.instances, column(instances));
  if (step.batch.answer_rows) {
    at.fill(step.batch.answer_rows, column(batch.answer_rows));
    at.fill(step.batch.targets, column(batch.targets));
    number(step.batch.loss_scale, scales.loss);
  }
  if (step.batch.token_scale) number(step.batch.token_scale, scales.token);
  if (step.batch.draw) {
    const std::int32_t halves[] = {std::int32_t(std::uint32_t(scales.draw)),
                                   std::int32_t(std::uint32_t(scales.draw >> 32))};
    at.fill(step.batch.draw, view<const std::int32_t>(halves, 1, 2));
    at.fill(step.batch.examples, column(batch.instances));
  }
}

/// What a plan of a batch is filled with: the instances of a batch are its sequences, in their order.
template <class T>
class sequence_inputs {
 public:
  /// `intuition`: a row for each example number of the batch's instances.
  template <class Where, class B>
  void fill(Where& at, const nn::step_context<B, T>& step, const data::packed_batch& batch, view<const T> intuition,
            const batch_scales& scales) {
    const index_t sequences = index_t(batch.segments.size());
    instances_.assign(batch.tokens.size(), -1);
    if (step.batch.intuition) rows_.assign(std::size_t(sequences * step.batch.intuition.cols), T(0));
    for (index_t i = 0; i < batch.examples; ++i) {
      const segment& of = batch.segments[std::size_t(i)];
      std::fill(instances_.begin() + of.begin, instances_.begin() + of.end, std::int32_t(i));
      if (!step.batch.intuition) continue;
      const T* row = intuition.row(batch.instances[std::size_t(of.begin)]);
      std::copy(row, row + intuition.cols, rows_.begin() + i * intuition.cols);
    }
    fill_batch(at, step, batch, instances_, scales);
    if (step.batch.intuition)
      at.fill(step.batch.intuition, view<const T>(rows_.data(), sequences, step.batch.intuition.cols));
    if (!step.batch.types) return;
    types_.assign(std::size_t(sequences), T(0));
    for (index_t i = 0; i < batch.examples; ++i) types_[std::size_t(i)] = batch.types[std::size_t(i)] ? T(1) : T(-1);
    at.fill(step.batch.types, view<const T>(types_.data(), sequences, 1));
  }

 private:
  std::vector<std::int32_t> instances_;
  std::vector<T> rows_, types_;
};

/// A batch on an eager tape, with the mean over its targets as loss.
template <class B, class T>
nn::step_context<B, T> place_batch(tape<B>& t, const data::packed_batch& batch) {
  nn::step_context<B, T> step = declare_batch<B, T>(t, size_of(batch));
  fill_batch(t, step, batch, batch.instances, {.loss = batch.live_targets > 0 ? 1.0 / double(batch.live_targets) : 0});
  return step;
}

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/batch.ipp"
#endif
