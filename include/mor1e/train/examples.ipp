// Definitions of train/examples.hpp.
#pragma once

#include <algorithm>
#include <span>

#include "mor1e/io/sha256.hpp"
#include "mor1e/train/examples.hpp"

namespace mor1e::train {

MOR1E_INLINE training_set encode(const std::vector<data::task_data>& tasks, const texts::prompt_encoder& encoder,
                                 const texts::prompt_options& wording, index_t max_length, bool truncate,
                                 index_t limit) {
  training_set out;
  std::string digest;
  for (const data::task_data& task : tasks) {
    const index_t rows = limit > 0 ? std::min<index_t>(limit, index_t(task.train.size())) : index_t(task.train.size());
    require<value_error>(rows > 0, "task ", task.name, " has no training rows");
    out.task_sizes.push_back(rows);
    out.task_names.push_back(task.name);
    for (index_t i = 0; i < rows; ++i) {
      const data::example& row = task.train[std::size_t(i)];
      texts::check_markers(texts::template_of(row, wording), encoder.tokenizer(), row.id);
      const texts::rendered_prompt words = texts::render(row, wording);
      auto [ids, target] = encoder.encode(words.prompt, words.target, row.id, words.ends);
      const index_t length = index_t(ids.size() + target.size());
      require<value_error>(truncate || length <= max_length, row.id, ": ", length, " tokens, at most ", max_length,
                           " fit (--max-length; --truncate cuts the prompt at its left)");
      require<value_error>(length <= max_length || encoder.cut_left(ids, length - max_length), row.id,
                           ": the target alone has ", target.size(), " tokens, at most ", max_length, " fit");
      data::encoded_example example{row.id, std::move(ids), 0, index_t(out.examples.size())};
      example.first_target = index_t(example.ids.size());
      example.ids.insert(example.ids.end(), target.begin(), target.end());
      out.tokens += index_t(example.ids.size());
      digest += text(row.id, '\0', example.first_target, '\0');
      digest.append(reinterpret_cast<const char*>(example.ids.data()), example.ids.size() * sizeof(std::int32_t));
      out.rows.push_back(row);
      out.examples.push_back(std::move(example));
    }
  }
  require<value_error>(!out.examples.empty(), "there is nothing to train on");
  out.hash = io::sha256_of(std::as_bytes(std::span(digest.data(), digest.size())));
  return out;
}

MOR1E_INLINE void set_types(training_set& set, std::string_view type_1) {
  std::vector<std::string> chosen;
  if (!type_1.empty()) chosen = data::select_tasks(set.task_names, type_1, "task types");
  set.type_1.clear();
  auto example = set.examples.begin();
  for (std::size_t t = 0; t < set.task_names.size(); ++t) {
    const bool is_1 = std::find(chosen.begin(), chosen.end(), set.task_names[t]) != chosen.end();
    if (is_1) set.type_1.push_back(set.task_names[t]);
    for (index_t i = 0; i < set.task_sizes[t]; ++i) (example++)->type = is_1;
  }
}

}  // namespace mor1e::train
