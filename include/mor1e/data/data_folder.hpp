// Data folders: <task>/train.jsonl and <task>/eval.jsonl.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/data/example.hpp"

namespace mor1e::data {

/// One task of a folder; the name is that of its subfolder.
struct task_data {
  std::string name;
  std::vector<example> train;
  std::vector<example> eval;
};

/// Which files of a task are read (and must exist); `present`: those that do.
enum class splits { train, eval, both, present };

/// The tasks of a data folder: its subfolders that hold a train.jsonl or an eval.jsonl, in alphabetical order.
/// Throws `io_error` if there is none.
MOR1E_INLINE std::vector<std::string> tasks_in(const std::filesystem::path& folder);

/// A comma-separated selection ("boolq,rte") of the tasks present, in the order given; an empty one selects all.
/// Throws `value_error` for an unknown, an empty or a repeated name; the message begins with `what` and lists those
/// present.
MOR1E_INLINE std::vector<std::string> select_tasks(const std::vector<std::string>& present, std::string_view selection,
                                                   std::string_view what = "tasks");

/// Reads the selected tasks. Throws as `tasks_in`, `select_tasks` and `read_task_file`.
MOR1E_INLINE std::vector<task_data> read_data_folder(const std::filesystem::path& folder,
                                                     std::string_view selection = "", splits wanted = splits::both);

/// Writes a data folder, atomically: a folder already there is replaced as a whole. A split without rows gets no file.
/// Throws `value_error` if there is no task or a name is not a plain file name.
MOR1E_INLINE void write_data_folder(const std::filesystem::path& folder, const std::vector<task_data>& tasks);

}  // namespace mor1e::data

#ifndef MOR1E_COMPILED
#include "mor1e/data/data_folder.ipp"
#endif
