#pragma once

#include <cstdio>
#include <memory>

#include <nlohmann/json.hpp>

#include "mor1e/io/json.hpp"
#include "mor1e/io/system_error.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::io {

MOR1E_INLINE std::string read_text(const std::filesystem::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) detail::throw_errno(path, "open");
  std::string out;
  char buffer[1 << 14];
  // Read until the end rather than by size: pipes and /proc files have none.
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) out.append(buffer, count);
  if (std::ferror(file.get())) detail::throw_errno(path, "read");
  return out;
}

MOR1E_INLINE nlohmann::json read_json(const std::filesystem::path& path) {
  return parse_json(read_text(path), path.string());
}
MOR1E_INLINE nlohmann::ordered_json read_ordered_json(const std::filesystem::path& path) {
  return parse_ordered_json(read_text(path), path.string());
}

MOR1E_INLINE std::vector<std::string> read_strings(const std::filesystem::path& path) {
  const nlohmann::json list = read_json(path);
  require<io_error>(list.is_array(), path.string(), ": is not a list of strings");
  std::vector<std::string> strings;
  for (const auto& item : list) {
    require<io_error>(item.is_string(), path.string(), ": element ", strings.size(), " is no string");
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

}  // namespace mor1e::io
