#pragma once

#include <algorithm>
#include <system_error>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/core/split.hpp"
#include "mor1e/data/data_folder.hpp"
#include "mor1e/data/task_file.hpp"
#include "mor1e/io/atomic_file.hpp"

namespace mor1e::data {

namespace detail {
inline std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}
}  // namespace detail

MOR1E_INLINE std::vector<std::string> tasks_in(const std::filesystem::path& folder) {
  std::error_code problem;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator entry(folder, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    std::error_code ignored;
    if (exists(entry->path() / "train.jsonl", ignored) || exists(entry->path() / "eval.jsonl", ignored))
      names.push_back(entry->path().filename().string());
  }
  require<io_error>(!problem, folder.string(), ": ", problem.message());
  require<io_error>(!names.empty(), folder.string(),
                    ": no task here: no subfolder holds a train.jsonl or an eval.jsonl", detail::rows_help);
  for (const std::string& name : names) try {
      (void)nlohmann::json(name).dump();  // adapters and results name their tasks
    } catch (const nlohmann::json::exception&) {
      throw io_error(text(folder.string(), ": the name of a task is not UTF-8: ", in_quotes(name)));
    }
  std::sort(names.begin(), names.end());
  return names;
}

MOR1E_INLINE std::vector<std::string> select_tasks(const std::vector<std::string>& present, std::string_view selection,
                                                   std::string_view what) {
  if (selection.empty()) return present;
  std::vector<std::string> chosen;
  for (const std::string& name : split(selection)) {
    require<value_error>(std::find(present.begin(), present.end(), name) != present.end(), what, ": '", name,
                         "' is not among those present: ", detail::joined(present));
    require<value_error>(std::find(chosen.begin(), chosen.end(), name) == chosen.end(), what, ": '", name,
                         "' is named twice");
    chosen.push_back(name);
  }
  return chosen;
}

MOR1E_INLINE std::vector<task_data> read_data_folder(const std::filesystem::path& folder, std::string_view selection,
                                                     splits wanted) {
  std::vector<task_data> tasks;
  for (const std::string& name : select_tasks(tasks_in(folder), selection)) {
    task_data task{name, {}, {}};
    const auto is_read = [&](splits other, const char* file) {
      return wanted == splits::present ? std::filesystem::exists(folder / name / file) : wanted != other;
    };
    if (is_read(splits::eval, "train.jsonl")) task.train = read_task_file(folder / name / "train.jsonl");
    if (is_read(splits::train, "eval.jsonl")) task.eval = read_task_file(folder / name / "eval.jsonl");
    tasks.push_back(std::move(task));
  }
  return tasks;
}

MOR1E_INLINE void write_data_folder(const std::filesystem::path& folder, const std::vector<task_data>& tasks) {
  require<value_error>(!tasks.empty(), folder.string(), ": no task to write");
  io::atomic_folder out(folder, false);  // a task of before would be trained on, too
  for (const task_data& task : tasks) {
    require<value_error>(!task.name.empty() && task.name[0] != '.' && task.name.find('/') == std::string::npos,
                         folder.string(), ": '", task.name, "' cannot name a task folder");
    std::filesystem::create_directory(out.path() / task.name);
    if (!task.train.empty()) write_task_file(out.path() / task.name / "train.jsonl", task.train);
    if (!task.eval.empty()) write_task_file(out.path() / task.name / "eval.jsonl", task.eval);
  }
  out.commit();
}

}  // namespace mor1e::data
