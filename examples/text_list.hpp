// Lists of strings in JSON files.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::program {

/// Throws `io_error` naming the file, and the element that is no string.
inline std::vector<std::string> read_strings(const std::string& path) {
  const nlohmann::json list = io::read_json(path);
  require<io_error>(list.is_array(), path, ": is not a list of strings");
  std::vector<std::string> strings;
  for (const auto& item : list) {
    require<io_error>(item.is_string(), path, ": element ", strings.size(), " is no string");
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

}  // namespace mor1e::program
