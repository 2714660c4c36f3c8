// Training within a given amount of memory.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "mor1e/train/step_program.hpp"

namespace mor1e::train {

/// How steps are cut so that they fit.
struct memory_plan {
  index_t tokens = 0;  ///< budget of a micro-batch
  bool recompute = false;
  std::uint64_t bytes = 0;  ///< that the process then needs
};

/// The largest size of plan that micro-batches of at most `tokens` tokens from steps of `batch` examples can need.
inline batch_size largest_batch(std::span<const data::encoded_example> examples, index_t batch, index_t tokens) {
  index_t longest = 0, shortest = tokens, targets = 0;
  double density = 0;
  for (const auto& e : examples) {
    const index_t length = index_t(e.ids.size()), own = length - e.first_target;
    longest = std::max(longest, length), shortest = std::min(shortest, length), targets = std::max(targets, own);
    density = std::max(density, double(own) / double(length));
  }
  const data::packing_options buckets;
  const auto rounded = [](index_t count, index_t bucket) { return (count + bucket - 1) / bucket * bucket; };
  const index_t rows = std::min(tokens, batch * longest);
  const index_t answers = std::min(batch * targets, index_t(std::ceil(density * double(rows))));
  const index_t sequences = std::min(batch, rows / std::max<index_t>(1, shortest)) + 1;  // one more is dead
  return {.rows = rounded(rows, buckets.row_bucket),
          .sequences = rounded(sequences, buckets.segment_bucket),
          .answers = rounded(answers, buckets.answer_bucket)};
}

/// The largest budget up to `tokens`, and recomputation only if it must be, with which a step over `batch` of these
/// examples fits into `limit` bytes beside the `base` bytes that are used anyway. Throws `value_error` naming what the
/// longest example alone would need.
template <class B, class T>
memory_plan fit_into(B& device, models::language_model<B, T>& model, std::span<const data::encoded_example> examples,
                     index_t batch, index_t tokens, program_options program, std::uint64_t base, std::uint64_t limit) {
  index_t longest = 1;
  for (const auto& e : examples) longest = std::max(longest, index_t(e.ids.size()));
  tokens = std::max(longest, std::min(tokens, batch * longest));
  const auto bytes = [&](index_t budget) {
    return base + step_program<B, T>(device, model, largest_batch(examples, batch, budget), program).bytes();
  };
  for (const bool recompute : {program.recompute, true}) {
    program.recompute = recompute;
    for (index_t budget = tokens;; budget = std::max(longest, budget - data::packing_options().row_bucket)) {
      if (const std::uint64_t needed = bytes(budget); needed <= limit) return {budget, recompute, needed};
      if (budget == longest) break;
    }
  }
  throw value_error(text("--memory: the longest example (", longest, " tokens) needs ", bytes(longest) / 1000000,
                         " MB with recomputation, ", limit / 1000000, " MB are allowed"));
}

}  // namespace mor1e::train
