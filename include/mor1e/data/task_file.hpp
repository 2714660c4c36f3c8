// Task files: one JSON object a line.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/data/example.hpp"

namespace mor1e::data {

namespace detail {
/// Where a complaint about rows sends the reader.
inline constexpr const char* rows_help = " (docs/data.md says how rows are written)";
}  // namespace detail

/// Parses one line,
///     {"id", "task", "context", "question", "choices": [...], "answer": index from 0, or a list of allowed indices}
/// or {"id", "task", "instruction", "input", "output"}. An id may be an integer; `context` and `input` may be missing.
/// An optional "meta" object may say {"template": NAME, "answer": "letter" | "text"}: how the row is to be worded. Rows
/// say it themselves, so that a file can be cut, joined and moved. Other fields are ignored. docs/data.md tells users.
/// Throws `io_error` beginning with `where`, naming the field.
MOR1E_INLINE example parse_example(std::string_view line, std::string_view where);

/// The row as one line of JSON, without the newline; `parse_example` gives the same example back.
/// Throws `io_error` for text that is not UTF-8.
MOR1E_INLINE std::string to_line(const example& row);

/// All rows of a file; blank lines are skipped. Throws `io_error` naming file, line from 1 and field, also for a file
/// without a row.
MOR1E_INLINE std::vector<example> read_task_file(const std::filesystem::path& path);

/// Replaces the file, atomically.
MOR1E_INLINE void write_task_file(const std::filesystem::path& path, const std::vector<example>& rows);

}  // namespace mor1e::data

#ifndef MOR1E_COMPILED
#include "mor1e/data/task_file.ipp"
#endif
