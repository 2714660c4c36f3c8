// Failed system calls as io_error.
#pragma once

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "mor1e/core/error.hpp"

namespace mor1e::io::detail {

/// Throws `io_error` "FILE: cannot DOING: reason", the reason taken from errno.
[[noreturn]] inline void throw_errno(const std::filesystem::path& file, const char* doing) {
  const int code = errno;
  throw io_error(text(file.string(), ": cannot ", doing, ": ", std::generic_category().message(code)));
}

}  // namespace mor1e::io::detail
