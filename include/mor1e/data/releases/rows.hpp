// Rows of an official file: where they stand, and what is wrong with one.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/data/each_line.hpp"
#include "mor1e/data/example.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/io/json_fields.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::data::detail {

using rows = std::vector<example>;

/// The rows that f(fields, rows) adds of the objects of a file, one a line.
template <class F>
rows json_lines(const std::filesystem::path& path, F f) {
  rows out;
  each_line(path, [&](std::string_view line, const std::string& where) {
    const nlohmann::json value = io::parse_json(line, where);
    io::json_fields fields(value, where);
    f(fields, out);
  });
  require<io_error>(!out.empty(), path.string(), ": the file holds no example");
  return out;
}

/// A file of labels, one a line beside the rows of another: from `least` on, made to begin at 0.
inline void add_labels(rows& to, const std::filesystem::path& path, int least, int most) {
  std::size_t at = 0;
  each_line(path, [&](std::string_view line, const std::string& where) {
    require<io_error>(line.size() == 1 && line[0] >= '0' + least && line[0] <= '0' + most, where, ": '", line,
                      "' is no label from ", least, " to ", most);
    require<io_error>(at < to.size(), where, ": more labels than the ", to.size(), " rows they are for");
    to[at++].answers = {line[0] - '0' - least};
  });
  require<io_error>(at == to.size(), path.string(), ": ", at, " labels for ", to.size(), " rows");
}

/// The files of a folder with this ending, by name. Throws `io_error` if there is none.
inline std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder, std::string_view ending) {
  std::vector<std::filesystem::path> out;
  std::error_code code;
  for (std::filesystem::directory_iterator at(folder, code), end; !code && at != end; at.increment(code))
    if (at->path().extension() == ending) out.push_back(at->path());
  require<io_error>(!out.empty(), folder.string(), ": no file *", ending);
  std::sort(out.begin(), out.end());
  return out;
}

/// A question with choices; `id` gets the number of the row if it ends with '-'.
inline void add(rows& to, std::string id, std::string context, std::string question, std::vector<std::string> choices,
                std::vector<int> answers) {
  if (id.ends_with('-')) id += std::to_string(to.size());
  example row;
  row.id = std::move(id), row.context = std::move(context), row.question = std::move(question);
  row.choices = std::move(choices), row.answers = std::move(answers);
  to.push_back(std::move(row));
}

}  // namespace mor1e::data::detail
