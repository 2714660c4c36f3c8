// Alpaca and BIG-Bench Hard: whole JSON documents.
#pragma once

#include <set>

#include "mor1e/data/releases/rows.hpp"

namespace mor1e::data::detail {

/// A list of {"instruction", "input", "output"}
inline rows alpaca(const std::filesystem::path& path, const std::string& id) {
  const nlohmann::json all = io::parse_json(io::read_text(path), path.string());
  require<io_error>(all.is_array() && !all.empty(), path.string(), ": not a list of instructions");
  rows out;
  for (const auto& each : all) {
    io::json_fields row(each, text(path.string(), ", row ", out.size() + 1));
    example to;
    to.id = id + std::to_string(out.size());
    to.question = row.string("instruction"), to.context = row.string_or("input", ""), to.output = row.string("output");
    out.push_back(std::move(to));
  }
  return out;
}

/// {"examples": [{"input", "target"}]}: a question with choices where every target is one of a few that come back, as
/// (A) or yes do, else an instruction. The choices are the targets themselves: the input lists what they stand for.
inline rows big_bench_hard(const std::filesystem::path& path, const std::string& id) {
  constexpr std::size_t most_choices = 20;
  const nlohmann::json document = io::parse_json(io::read_text(path), path.string());
  io::json_fields top(document, path.string());
  rows out;
  std::set<std::string> targets;
  for (const auto& each : top.list("examples")) {
    io::json_fields row(each, text(path.string(), ", row ", out.size() + 1));
    example to;
    to.id = id + std::to_string(out.size());
    to.question = row.string("input"), to.output = row.string("target");
    targets.insert(to.output);
    out.push_back(std::move(to));
  }
  if (targets.size() > most_choices || 3 * targets.size() > out.size()) return out;
  const std::vector<std::string> choices(targets.begin(), targets.end());
  for (example& row : out) {
    row.choices = choices;
    row.answers = {int(std::lower_bound(choices.begin(), choices.end(), row.output) - choices.begin())};
    row.output.clear();
    row.style = answer_style::text;
  }
  return out;
}

}  // namespace mor1e::data::detail
