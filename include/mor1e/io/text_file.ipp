#pragma once

#include <poll.h>

#include <nlohmann/json.hpp>

#include "mor1e/io/json.hpp"
#include "mor1e/io/open_file.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::io {

MOR1E_INLINE std::string read_text(const std::filesystem::path& path) {
  constexpr int patience = 5000;  // milliseconds for the first writer of a pipe to come
  struct ::stat about {};
  const detail::descriptor opened = detail::open_to_read(path, about);
  const bool pipe = S_ISFIFO(about.st_mode);
  bool waited = !pipe;
  std::string out;
  char buffer[1 << 14];
  struct ::pollfd more {
    opened.file, POLLIN, 0
  };
  // Read until the end rather than by size: pipes and /proc files have none.
  while (true) {
    const ssize_t count = ::read(opened.file, buffer, sizeof buffer);
    if (count > 0) {
      out.append(buffer, std::size_t(count));
    } else if (count < 0 && errno == EAGAIN) {
      ::poll(&more, 1, -1);
    } else if (count < 0 && errno != EINTR) {
      detail::throw_errno(path, "read");
    } else if (count == 0) {
      if (waited || !out.empty()) break;
      waited = true;
      ::poll(&more, 1, patience);
    }
  }
  require<io_error>(!pipe || !out.empty(), path.string(), ": a pipe that nothing came through");
  return out;
}

MOR1E_INLINE nlohmann::json read_json(const std::filesystem::path& path) {
  return parse_json(read_text(path), path.string());
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
