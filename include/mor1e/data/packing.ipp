#pragma once

#include <algorithm>
#include <numeric>

#include "mor1e/core/error.hpp"
#include "mor1e/data/packing.hpp"

namespace mor1e::data {

namespace detail {

constexpr index_t rounded_up(index_t count, index_t bucket) { return (count + bucket - 1) / bucket * bucket; }

/// How many tokens of an example's prompt are cut from the left.
inline index_t tokens_to_cut(const encoded_example& example, const packing_options& options) {
  const index_t length = index_t(example.ids.size()), targets = length - example.first_target;
  require<value_error>(example.first_target >= 1, "example ", example.id,
                       ": its target starts at token 0; a prompt of at least one token is needed");
  require<value_error>(targets >= 0, "example ", example.id, ": its target starts at token ", example.first_target,
                       " of ", length);
  const bool by_context = options.context <= options.tokens;
  const index_t limit = by_context ? options.context : options.tokens;
  if (length <= limit) return 0;
  const char* what = by_context ? " tokens the model takes" : " tokens of a batch";
  require<value_error>(options.truncate_prompt, "example ", example.id, ": ", length, " tokens exceed the ", limit,
                       what);
  require<value_error>(targets < limit, "example ", example.id, ": a target of ", targets,
                       " tokens and a prompt exceed the ", limit, what);
  return length - limit;
}

/// Keys and queries are the same rows, and nothing is shared with another segment.
inline segment segment_of(index_t begin, index_t end) {
  return {.begin = std::int32_t(begin), .end = std::int32_t(end), .keys = std::int32_t(begin)};
}

inline void append(packed_batch& batch, const encoded_example& example, index_t cut) {
  const index_t length = index_t(example.ids.size()) - cut, first_target = example.first_target - cut;
  const index_t begin = batch.rows();
  batch.tokens.insert(batch.tokens.end(), example.ids.begin() + cut, example.ids.end());
  for (index_t i = 0; i < length; ++i) batch.positions.push_back(std::int32_t(i));
  batch.instances.insert(batch.instances.end(), std::size_t(length), std::int32_t(example.instance));
  batch.segments.push_back(segment_of(begin, begin + length));
  batch.types.push_back(example.type);
  for (index_t i = first_target; i < length; ++i) {
    batch.answer_rows.push_back(std::int32_t(begin + i - 1));
    batch.targets.push_back(batch.tokens[std::size_t(begin + i)]);
  }
  ++batch.examples;
}

inline void close(packed_batch& batch, const packing_options& options) {
  batch.live_rows = batch.rows();
  batch.live_targets = index_t(batch.targets.size());
  const index_t rows = rounded_up(batch.live_rows, options.row_bucket);
  if (rows > batch.live_rows) batch.segments.push_back(segment_of(batch.live_rows, rows));
  batch.segments.resize(std::size_t(rounded_up(index_t(batch.segments.size()), options.segment_bucket)),
                        segment_of(rows, rows));
  for (index_t i = 0; i < rows - batch.live_rows; ++i) batch.positions.push_back(std::int32_t(i));
  batch.tokens.resize(std::size_t(rows), 0);
  batch.instances.resize(std::size_t(rows), -1);
  const index_t answers = rounded_up(batch.live_targets, options.answer_bucket);
  batch.answer_rows.resize(std::size_t(answers), 0);
  batch.targets.resize(std::size_t(answers), -1);
}

}  // namespace detail

MOR1E_INLINE std::vector<packed_batch> pack(std::span<const encoded_example> examples, std::span<const index_t> order,
                                            const packing_options& options) {
  require<value_error>(
      std::min({options.tokens, options.context, options.row_bucket, options.segment_bucket, options.answer_bucket}) >=
          1,
      "pack: a budget of ", options.tokens, ", context of ", options.context, ", buckets of ", options.row_bucket,
      " rows, ", options.segment_bucket, " segments, ", options.answer_bucket, " answers: each must be at least 1");
  std::vector<packed_batch> batches;
  for (index_t i : order) {
    require<value_error>(i >= 0 && i < index_t(examples.size()), "pack: example number ", i, " of ", examples.size());
    const encoded_example& example = examples[std::size_t(i)];
    const index_t cut = detail::tokens_to_cut(example, options);
    const index_t length = index_t(example.ids.size()) - cut;
    if (batches.empty() || batches.back().rows() + length > options.tokens) batches.emplace_back();
    detail::append(batches.back(), example, cut);
  }
  for (packed_batch& batch : batches) detail::close(batch, options);
  return batches;
}

MOR1E_INLINE std::vector<packed_batch> pack(std::span<const encoded_example> examples, const packing_options& options) {
  std::vector<index_t> order(examples.size());
  std::iota(order.begin(), order.end(), index_t(0));
  return pack(examples, order, options);
}

}  // namespace mor1e::data
