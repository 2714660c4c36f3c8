#pragma once

#include <algorithm>
#include <cstdint>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/data/each_line.hpp"
#include "mor1e/data/task_file.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/json.hpp"

namespace mor1e::data {

namespace detail {

using nlohmann::json;

/// Reads the fields of one row; every complaint names place and field.
class row_reader {
 public:
  row_reader(const json& row, std::string_view where) : row_(row), where_(where) {}

  /// Whether a field is there; null, as tables write it, is none.
  bool has(const char* field) const { return row_.contains(field) && !row_[field].is_null(); }

  const json& at(const char* field) const {
    const auto found = row_.find(field);
    ensure(found != row_.end(), field, " is missing");
    return *found;
  }

  std::string string_at(const char* field) const {
    const json& value = at(field);
    check(value.is_string(), field, "a string", value);
    return value.get<std::string>();
  }
  /// Empty for a field that is not there.
  std::string string_if(const char* field) const { return has(field) ? string_at(field) : ""; }

  /// A string, or an integer as it is written.
  std::string id() const {
    const json& value = at("id");
    check(value.is_string() || value.is_number_integer(), "id", "a string or an integer", value);
    return value.is_string() ? value.get<std::string>() : value.dump();
  }

  std::vector<std::string> choices() const {
    const json& list = at("choices");
    check(list.is_array(), "choices", "a list", list);
    ensure(!list.empty(), "choices", " is empty");
    std::vector<std::string> texts;
    for (const json& choice : list) {
      check(choice.is_string(), "choices", "a list of strings", choice);
      texts.push_back(choice.get<std::string>());
      ensure(!texts.back().empty(), "choices", ": choice ", texts.size() - 1, " is empty");
    }
    return texts;
  }

  std::vector<int> answers(std::size_t choices) const {
    const json& answer = at("answer");
    if (!answer.is_array()) return {index(answer, choices)};
    ensure(!answer.empty(), "answer", " is an empty list");
    std::vector<int> indices;
    for (const json& each : answer) indices.push_back(index(each, choices));
    return indices;
  }

  void read_meta(example& out) const {
    if (!has("meta") || !at("meta").is_object()) return;  // raw fields of a source: anything goes
    const json& meta = at("meta");
    if (const auto name = meta.find("template"); name != meta.end()) {
      check(name->is_string(), "meta.template", "a string", *name);
      out.template_name = name->get<std::string>();
    }
    if (const auto style = meta.find("answer"); style != meta.end()) {
      check(*style == "letter" || *style == "text", "meta.answer", "\"letter\" or \"text\"", *style);
      out.style = *style == "letter" ? answer_style::letter : answer_style::text;
    }
  }

 private:
  template <class... Parts>
  void ensure(bool holds, const char* field, const Parts&... parts) const {
    require<io_error>(holds, where_, ": field '", field, "'", parts..., rows_help);
  }
  void check(bool holds, const char* field, const char* wanted, const json& value) const {
    ensure(holds, field, " must be ", wanted, ", found ", value.type_name());
  }

  int index(const json& value, std::size_t choices) const {
    check(value.is_number_integer(), "answer", "an integer or a list of integers", value);
    // An unsigned value beyond int64 reads as negative: out of range either way.
    const std::int64_t given = value.get<std::int64_t>();
    ensure(given >= 0 && given < std::int64_t(choices), "answer", ": index ", io::brief(value), " is outside the ",
           choices, " choices (0 to ", choices - 1, ")");
    return int(given);
  }

  const json& row_;
  std::string_view where_;
};

}  // namespace detail

MOR1E_INLINE example parse_example(std::string_view line, std::string_view where) {
  const nlohmann::json row = io::parse_json(line, std::string(where));
  require<io_error>(row.is_object(), where, ": a row must be a JSON object, found ", row.type_name(),
                    detail::rows_help);

  const detail::row_reader read(row, where);
  example out;
  out.id = read.id();
  out.task = read.string_at("task");
  if (read.has("instruction")) {
    out.question = read.string_at("instruction");
    out.context = read.string_if("input");
    out.output = read.string_at("output");
  } else {
    out.context = read.string_if("context");
    out.question = read.string_at("question");
    out.choices = read.choices();
    out.answers = read.answers(out.choices.size());
  }
  read.read_meta(out);
  return out;
}

MOR1E_INLINE std::string to_line(const example& row) {
  try {
    io::ordered_members out;
    out.add("id", row.id);
    out.add("task", row.task);
    if (row.is_instruction()) {
      out.add("instruction", row.question);
      out.add("input", row.context);
      out.add("output", row.output);
    } else {
      out.add("context", row.context);
      out.add("question", row.question);
      out.add("choices", row.choices);
      if (row.answers.size() == 1)
        out.add("answer", row.answers[0]);
      else
        out.add("answer", row.answers);
    }
    io::ordered_members meta;
    if (!row.template_name.empty()) meta.add("template", row.template_name);
    if (row.style) meta.add("answer", *row.style == answer_style::letter ? "letter" : "text");
    if (!row.template_name.empty() || row.style) out.add("meta", meta);
    return out.text();
  } catch (const nlohmann::json::type_error&) {
    throw io_error(text("example ", row.id, ": its text is not UTF-8"));
  }
}

MOR1E_INLINE std::vector<example> read_task_file(const std::filesystem::path& path) {
  std::vector<example> rows;
  detail::each_line(
      path, [&](std::string_view line, const std::string& where) { rows.push_back(parse_example(line, where)); });
  require<io_error>(!rows.empty(), path.string(), ": the file holds no example", detail::rows_help);
  return rows;
}

MOR1E_INLINE void write_task_file(const std::filesystem::path& path, const std::vector<example>& rows) {
  std::string content;
  for (const example& row : rows) content += to_line(row) + '\n';
  io::write_text(path, content);
}

}  // namespace mor1e::data
