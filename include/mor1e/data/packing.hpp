// Packed batches: examples laid end to end, no padding between them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/core/segment.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e::data {

/// An example as tokens: the prompt, then the target from `first_target` on.
struct encoded_example {
  std::string id;  // named in errors
  std::vector<std::int32_t> ids;
  index_t first_target = 0;  // at least 1: a token is predicted from the one before it
  index_t instance = 0;      // the caller's number of the example, such as its row of intuition
  std::int32_t type = 0;     // of its task, 0 or 1, for a method that tells them apart
};

/// A micro-batch of R rows, one a token, S segments and A answer rows. All three are rounded up to buckets, so that few
/// sizes occur and a plan made for one is used again. What the rounding adds takes part in no loss: rows of one dead
/// segment (token 0, instance -1), empty segments, and answer rows with target -1 (reading row 0).
struct packed_batch {
  std::vector<std::int32_t> tokens;       // [R]
  std::vector<std::int32_t> positions;    // [R], from 0 in each segment
  std::vector<std::int32_t> instances;    // [R], encoded_example::instance; -1 in the dead segment
  std::vector<segment> segments;          // [S], one an example in the order given, the dead one if any, empty ones
  std::vector<std::int32_t> types;        // [examples], encoded_example::type
  std::vector<std::int32_t> answer_rows;  // [A], rows t whose next token is a target
  std::vector<std::int32_t> targets;      // [A], that next token; -1: ignored
  index_t examples = 0;                   // segments that are examples
  index_t live_rows = 0;                  // rows that are tokens of examples
  index_t live_targets = 0;               // targets that are not -1

  index_t rows() const { return index_t(tokens.size()); }
};

struct packing_options {
  index_t tokens = 2048;         // budget of a batch, before rounding up
  index_t context = 2048;        // longest sequence the model takes
  index_t row_bucket = 32;       // R is a multiple of this
  index_t segment_bucket = 16;   // S is a multiple of this
  index_t answer_bucket = 32;    // A is a multiple of this; small, since a row of logits is as wide as the vocabulary
  bool truncate_prompt = false;  // cut a sequence that is too long at the left of its prompt, keeping the target
};

/// Packs `examples[i]` for i in `order`, in this order: a batch is closed when the next example would exceed the
/// budget. Throws `value_error` naming the example for one that is longer than the context or the budget (with
/// `truncate_prompt`: whose target leaves no room for a token of prompt), whose target starts at token 0 or behind its
/// end, and for options below 1.
MOR1E_INLINE std::vector<packed_batch> pack(std::span<const encoded_example> examples, std::span<const index_t> order,
                                            const packing_options& options = {});

/// All examples, in the order they have.
MOR1E_INLINE std::vector<packed_batch> pack(std::span<const encoded_example> examples,
                                            const packing_options& options = {});

}  // namespace mor1e::data

#ifndef MOR1E_COMPILED
#include "mor1e/data/packing.ipp"
#endif
