// The rows of a run: read from a folder, or generated and kept with the run.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mor1e/data/data_folder.hpp"
#include "mor1e/data/suite.hpp"
#include "mor1e/data/task_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/text/prompt_encoder.hpp"
#include "mor1e/text/tokenizer.hpp"
#include "mor1e/train/run/settings.hpp"

namespace mor1e::train {

/// Whether " word" is one token behind a prompt: the words that the generated suite may use. Of bytes no word is, so
/// there any will do.
inline auto one_token(const texts::tokenizer& tokenizer) {
  const bool bytes = tokenizer.vocabulary_size() < 1000;
  return [bytes, &tokenizer](std::string_view word) {
    return bytes || texts::prompt_encoder(tokenizer).encode("Answer:", text(" ", word), word).answer.size() == 1;
  };
}

struct run_rows {
  std::vector<data::task_data> made;   ///< the whole suite, if it is to be kept in the run's folder
  std::vector<data::task_data> tasks;  ///< those chosen
};

/// `examples`: how many a run will draw, where it says.
inline run_rows load_rows(const data_settings& o, const texts::tokenizer& tokenizer, index_t examples,
                          std::uint64_t seed) {
  namespace fs = std::filesystem;
  run_rows out;
  if (o.data == "suite") {
    data::suite_options suite{.eval_items = 60, .train_seed = seed, .eval_seed = 2026};
    const index_t families = index_t(data::suite_families().size());
    // New items for every step; a long run meets them again, as no family gives more than a few thousand.
    if (examples > 0) suite.train_items = std::min<index_t>(2000, (examples + families - 1) / families);
    out.made = data::make_suite(one_token(tokenizer), suite);
    std::vector<std::string> names;
    for (const auto& task : out.made) names.push_back(task.name);
    for (const std::string& name : data::select_tasks(names, o.tasks))
      out.tasks.push_back(
          *std::find_if(out.made.begin(), out.made.end(), [&](const auto& task) { return task.name == name; }));
  } else {
    out.tasks = data::read_data_folder(o.data, o.tasks, data::splits::train);
    for (data::task_data& task : out.tasks)
      if (const fs::path file = fs::path(o.data) / task.name / "eval.jsonl"; o.eval_limit > 0 && fs::exists(file))
        task.eval = data::read_task_file(file);
  }
  // A task is its folder, whatever its rows call it.
  for (data::task_data& task : out.tasks)
    for (auto* rows : {&task.train, &task.eval})
      for (data::example& row : *rows) row.task = task.name;
  return out;
}

/// Writes the generated suite, unless it is there. Other data is not replaced.
inline void keep_rows(const std::vector<data::task_data>& tasks, const std::filesystem::path& folder) {
  if (tasks.empty()) return;
  if (!std::filesystem::exists(folder)) return data::write_data_folder(folder, tasks);
  for (const data::task_data& task : tasks)
    for (const auto& [file, rows] : {std::pair("train.jsonl", &task.train), std::pair("eval.jsonl", &task.eval)}) {
      std::string lines;
      for (const data::example& row : *rows) lines += data::to_line(row) + '\n';
      const std::filesystem::path path = folder / task.name / file;
      require<value_error>(std::filesystem::exists(path) && io::read_text(path) == lines, path.string(),
                           " is not what this run generates; give another --out");
    }
}

}  // namespace mor1e::train
