// Task rows as token sequences.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/data/data_folder.hpp"
#include "mor1e/data/packing.hpp"
#include "mor1e/text/prompt.hpp"
#include "mor1e/text/prompt_encoder.hpp"

namespace mor1e::train {

/// The training rows of all tasks, numbered through: those of task t follow those of task t - 1.
struct training_set {
  std::vector<data::encoded_example> examples;
  std::vector<data::example> rows;  ///< what they were made from
  std::vector<index_t> task_sizes;
  std::vector<std::string> task_names;
  std::vector<std::string> type_1;  ///< of these, the tasks of type 1: see `set_types`
  std::string hash;                 ///< SHA-256 over ids and tokens: what a resumed run must find again
  index_t tokens = 0;
};

/// Renders and encodes, prompt and target as one text (see `texts::prompt_encoder`), with the end token behind free
/// answers. `limit` > 0 cuts each task. Throws `value_error` naming the example for one longer than `max_length`
/// (unless `truncate` cuts its prompt at the left, behind the beginning tokens), for a token that the model lacks, and
/// for no example at all.
training_set encode(const std::vector<data::task_data>& tasks, const texts::prompt_encoder& encoder,
                    const texts::prompt_options& wording, index_t max_length, bool truncate, index_t limit = 0);

/// Makes the tasks "a,b" those of type 1, and all others those of type 0. Throws `value_error` for a name that is no
/// task or stands there twice.
void set_types(training_set& set, std::string_view type_1);

}  // namespace mor1e::train

#ifndef MOR1E_COMPILED
#include "mor1e/train/examples.ipp"
#endif
