// MMLU: one CSV file a subject and split, without a header: question, A, B, C, D, letter.
#pragma once

#include "mor1e/data/releases/rows.hpp"

namespace mor1e::data::detail {

/// The records of a CSV file as RFC 4180 has them: a field may be quoted, a quote in it stands twice, and a quoted
/// field may hold commas and ends of lines. f(fields, "file:line").
template <class F>
void each_csv_record(const std::filesystem::path& path, F f) {
  const std::string content = io::read_text(path);
  std::vector<std::string> fields(1);
  std::size_t line = 1, begun = 1;
  bool quoted = false;
  const auto end_record = [&] {
    if (fields.size() > 1 || !fields[0].empty()) f(fields, text(path.string(), ":", begun));
    fields.assign(1, "");
  };
  for (std::size_t i = 0; i < content.size(); ++i) {
    const char c = content[i];
    line += c == '\n';
    if (quoted) {
      if (c != '"')
        fields.back() += c;
      else if (i + 1 < content.size() && content[i + 1] == '"')
        fields.back() += content[++i];
      else
        quoted = false;
    } else if (c == '"' && fields.back().empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      end_record();
      begun = line;
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  require<io_error>(!quoted, path.string(), ":", begun, ": a quoted field does not end");
  end_record();
}

/// All subjects in a folder such as data/test.
inline rows mmlu(const std::filesystem::path& folder, const std::string& id) {
  rows out;
  for (const auto& path : files_in(folder, ".csv"))
    each_csv_record(path, [&](const std::vector<std::string>& fields, const std::string& where) {
      require<io_error>(fields.size() == 6, where, ": ", fields.size(),
                        " fields; question, four choices and a letter are 6");
      const std::string& letter = fields[5];
      require<io_error>(letter.size() == 1 && letter[0] >= 'A' && letter[0] <= 'D', where, ": '", letter,
                        "' is no letter from A to D");
      add(out, id + path.stem().string() + "-", "", fields[0], {fields.begin() + 1, fields.begin() + 5},
          {letter[0] - 'A'});
    });
  return out;
}

}  // namespace mor1e::data::detail
