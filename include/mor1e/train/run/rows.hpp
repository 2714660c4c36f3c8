// The rows of a run: read from a folder, or generated and kept with the run.
#pragma once

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>
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
  std::vector<data::task_data> made;    ///< the whole suite, if it is to be kept in the run's folder
  std::vector<data::task_data> tasks;   ///< those trained on; only `train` of each counts
  std::vector<data::task_data> scored;  ///< those scored, by their `eval`
  std::vector<data::task_data> dev;     ///< the same of rows that were kept out of the training
};

namespace detail {

/// Seeds of the suite's items: of all runs the same, so that they can be compared.
inline constexpr std::uint64_t suite_eval_seed = 2026, suite_dev_seed = 2027;

/// Rows kept out of the training: the last of each task; of a suite other items than the evaluation's, of the same
/// words, which no training has.
inline std::vector<data::task_data> take_dev_rows(const data_settings& o, const texts::tokenizer& tokenizer,
                                                  std::vector<data::task_data>& tasks) {
  std::vector<data::task_data> out;
  if (o.dev_limit == 0) return out;
  const auto count = std::size_t(o.dev_limit);
  if (data::is_suite(o.data)) {
    const std::span<const data::suite_family> families = data::suite_families(o.data);
    for (const data::task_data& task : tasks) {
      std::set<std::string> taken;
      for (const data::example& row : task.eval) taken.insert(row.question);
      const auto family =
          std::find_if(families.begin(), families.end(), [&](const auto& f) { return f.name == task.name; });
      std::vector<data::example> drawn;
      try {  // twice as many, as some are taken
        drawn = data::suite_examples(*family, data::suite_split::eval, 2 * o.dev_limit, detail::suite_dev_seed,
                                     one_token(tokenizer));
      } catch (const value_error& e) {
        throw value_error(text("--dev-limit ", count, ": ", e.what()));
      }
      std::erase_if(drawn, [&](const data::example& row) { return taken.count(row.question) > 0; });
      require<value_error>(drawn.size() >= count, "--dev-limit ", count, ": ", task.name, " has only ", drawn.size(),
                           " items beside those of the evaluation");
      drawn.resize(count);
      out.push_back({.name = task.name, .train = {}, .eval = std::move(drawn)});
    }
    return out;
  }
  for (data::task_data& task : tasks) {
    require<value_error>(task.train.size() > count, "--dev-limit ", count, ": ", task.name, " has only ",
                         task.train.size(), " rows to train on");
    const auto first = task.train.end() - std::ptrdiff_t(count);
    out.push_back({.name = task.name, .train = {}, .eval = {first, task.train.end()}});
    task.train.erase(first, task.train.end());
  }
  return out;
}

}  // namespace detail

/// `examples`: how many a run will draw, where it says.
inline run_rows load_rows(const data_settings& o, const texts::tokenizer& tokenizer, index_t examples,
                          std::uint64_t seed) {
  namespace fs = std::filesystem;
  run_rows out;
  if (data::is_suite(o.data)) {
    data::suite_options suite{.eval_items = 60, .train_seed = seed, .eval_seed = detail::suite_eval_seed};
    const auto suite_families = data::suite_families(o.data);
    const index_t families = index_t(suite_families.size());
    // New items for every step where all families are trained on; a long run meets them again, as no family gives more
    // than a few thousand.
    if (examples > 0) suite.train_items = std::min<index_t>(2000, (examples + families - 1) / families);
    out.made = data::make_suite(one_token(tokenizer), suite, suite_families);
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
  out.scored = out.tasks;
  if (!o.eval_data.empty()) out.scored = data::read_data_folder(o.eval_data, "", data::splits::eval);
  std::vector<std::string> names;
  for (const data::task_data& task : out.tasks) names.push_back(task.name);
  if (!o.unseen.empty())
    for (const std::string& name : data::select_tasks(names, o.unseen, "--unseen"))
      std::erase_if(out.tasks, [&](const data::task_data& task) { return task.name == name; });
  require<value_error>(!out.tasks.empty(), "--unseen: there is no task left to train on");
  out.dev = detail::take_dev_rows(o, tokenizer, out.tasks);
  // A task is its folder, whatever its rows call it.
  for (auto* tasks : {&out.tasks, &out.scored, &out.dev})
    for (data::task_data& task : *tasks)
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
