// What the programs write as one JSON object a line.
#pragma once

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/io/text_file.hpp"

namespace mor1e::testing {

inline std::vector<nlohmann::json> read_json_lines(const std::filesystem::path& path) {
  std::istringstream lines(io::read_text(path));
  std::vector<nlohmann::json> out;
  for (std::string line; std::getline(lines, line);) out.push_back(nlohmann::json::parse(line));
  return out;
}

}  // namespace mor1e::testing
