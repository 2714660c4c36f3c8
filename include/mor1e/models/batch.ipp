// Definitions of models/batch.hpp.
#pragma once

#include <algorithm>

#include "mor1e/io/safetensors.hpp"
#include "mor1e/models/batch.hpp"

namespace mor1e::models {

MOR1E_INLINE padded_batch read_padded_batch(const io::safetensors_file& file) {
  padded_batch batch;
  batch.where = file.path().string();
  batch.input_ids = file.read<std::int32_t>("input_ids");
  const shape extents = batch.input_ids.extents();
  require<io_error>(extents.rank() == 2 && extents.size() > 0, batch.where, ": tensor 'input_ids' has shape ", extents,
                    ", not [sequences, length]");
  const auto read = [&](const char* name) {
    tensor<std::int32_t> values = file.read<std::int32_t>(name);
    require<io_error>(values.extents() == extents, batch.where, ": tensor '", name, "' has shape ", values.extents(),
                      ", tensor 'input_ids' has ", extents);
    return values;
  };
  batch.lengths.assign(std::size_t(extents[0]), extents[1]);
  batch.starts.assign(std::size_t(extents[0]), 0);
  if (file.find("attention_mask")) {
    const tensor<std::int32_t> mask = read("attention_mask");
    for (index_t i = 0; i < extents[0]; ++i) {
      const std::int32_t* row = mask.data() + i * extents[1];
      const auto next = [&](index_t from, bool seen) {
        return std::find_if(row + from, row + extents[1], [&](std::int32_t m) { return (m != 0) == seen; }) - row;
      };
      const index_t start = next(0, true), end = next(start, false), again = next(end, true);
      require<value_error>(start < extents[1], batch.where, ": attention_mask row ", i, " is 0 everywhere");
      require<value_error>(again == extents[1], batch.where, ": attention_mask row ", i, " has 0 at ", end, " and ",
                           row[std::min(again, extents[1] - 1)], " at ", again, ": no padding goes between tokens");
      batch.starts[std::size_t(i)] = start;
      batch.lengths[std::size_t(i)] = end - start;
    }
  }
  if (file.find("labels")) batch.labels = read("labels");
  return batch;
}

MOR1E_INLINE void check_batch(const padded_batch& batch, const batch_limits& limits) {
  const auto check = [&](const char* name, const tensor<std::int32_t>& ids, bool may_ignore) {
    for (index_t i = 0; i < batch.sequences(); ++i)
      for (index_t t = batch.start(i); t < batch.start(i) + batch.lengths[std::size_t(i)]; ++t) {
        const std::int32_t id = ids[i * batch.length() + t];
        require<value_error>((id >= 0 && id < limits.vocabulary) || (may_ignore && id == ignored_label), batch.where,
                             ": ", name, " [", i, ", ", t, "] is ", id, ", the vocabulary has ", limits.vocabulary,
                             " tokens");
      }
  };
  for (index_t i = 0; i < batch.sequences(); ++i)
    require<value_error>(batch.lengths[std::size_t(i)] <= limits.context, batch.where, ": input_ids row ", i, " has ",
                         batch.lengths[std::size_t(i)], " tokens, the context of the model is ", limits.context);
  check("input_ids", batch.input_ids, false);
  if (!batch.labels.empty()) check("labels", batch.labels, true);
}

MOR1E_INLINE void check_batch(const data::packed_batch& batch, const batch_limits& limits) {
  const std::size_t rows = batch.tokens.size();
  require<value_error>(batch.positions.size() == rows && batch.instances.size() == rows &&
                           batch.targets.size() == batch.answer_rows.size(),
                       "batch: ", rows, " tokens, ", batch.positions.size(), " positions, ", batch.instances.size(),
                       " instances; ", batch.answer_rows.size(), " answers, ", batch.targets.size(), " targets");
  const auto refuse = [&](const char* what, std::int64_t number, index_t row, const char* of, index_t limit) {
    const bool known = row >= 0 && row < batch.rows();
    throw value_error(text("batch: ", what, " ", number, " of row ", row,
                           known ? text(", example ", batch.instances[std::size_t(row)]) : "", ": ", of, limit));
  };
  for (index_t i = 0; i < index_t(batch.tokens.size()); ++i) {
    const std::int32_t token = batch.tokens[std::size_t(i)];
    if (token < 0 || token >= limits.vocabulary) refuse("token", token, i, "the vocabulary has ", limits.vocabulary);
  }
  for (index_t i = 0; i < index_t(batch.positions.size()); ++i) {
    const std::int32_t position = batch.positions[std::size_t(i)];
    if (batch.instances[std::size_t(i)] < 0) continue;  // a dead row: the rounding up may count beyond the context
    if (position < 0 || position >= limits.context)
      refuse("position", position, i, "the context of the model is ", limits.context);
  }
  for (std::size_t i = 0; i < batch.answer_rows.size(); ++i) {
    const std::int32_t row = batch.answer_rows[i], target = batch.targets[i];
    if (row >= batch.rows()) refuse("answer", std::int64_t(i), row, "the rows of the batch are ", batch.rows());
    if (target >= limits.vocabulary) refuse("target", target, row, "the vocabulary has ", limits.vocabulary);
  }
  for (std::size_t i = 0; i < batch.segments.size(); ++i) {
    const segment& s = batch.segments[i];
    require<value_error>(0 <= s.begin && s.begin <= s.end && s.end <= batch.rows(), "batch: segment ", i, " is rows [",
                         s.begin, ", ", s.end, ") of ", batch.rows());
  }
}

MOR1E_INLINE data::packed_batch pack(const padded_batch& batch) {
  std::vector<data::encoded_example> sequences;
  index_t total = 0;
  for (index_t i = 0; i < batch.sequences(); ++i) {
    const index_t length = batch.lengths[std::size_t(i)];
    const std::int32_t* ids = batch.input_ids.data() + i * batch.length() + batch.start(i);
    sequences.push_back({text(i), {ids, ids + length}, length, i});
    total += length;
  }
  data::packed_batch packed =
      data::pack(sequences,
                 {.tokens = total, .context = total, .row_bucket = 1, .segment_bucket = 1, .answer_bucket = 1})
          .front();
  if (batch.labels.empty()) return packed;
  for (index_t i = 0; i < batch.sequences(); ++i) {
    const std::int32_t begin = packed.segments[std::size_t(i)].begin;
    for (index_t t = 1; t < batch.lengths[std::size_t(i)]; ++t) {
      const std::int32_t label = batch.labels[i * batch.length() + batch.start(i) + t];
      if (label == ignored_label) continue;
      packed.answer_rows.push_back(begin + std::int32_t(t) - 1);
      packed.targets.push_back(label);
    }
  }
  packed.live_targets = index_t(packed.targets.size());
  return packed;
}

}  // namespace mor1e::models
