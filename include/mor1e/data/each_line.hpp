// The lines of a file of rows, and where each stands.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

#include "mor1e/core/error.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::data::detail {

/// f(line, where) for each line that is not blank; `where` is "file:number".
template <class F>
void each_line(const std::filesystem::path& path, F f) {
  const std::string content = io::read_text(path);
  const std::string_view all = content;
  std::size_t number = 1;
  for (std::size_t begin = 0; begin < all.size(); ++number) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    std::string_view line = all.substr(begin, end - begin);
    begin = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") != line.npos) f(line, text(path.string(), ":", number));
  }
}

}  // namespace mor1e::data::detail
