// Files opened to be read, without waiting for anybody.
#pragma once

#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "mor1e/io/system_error.hpp"

namespace mor1e::io::detail {

/// What is closed when it goes.
struct descriptor {
  explicit descriptor(int opened) : file(opened) {}
  descriptor(descriptor&& other) noexcept : file(std::exchange(other.file, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() {
    if (file >= 0) ::close(file);
  }
  int file;
};

/// Opens a file, and says what it is. A pipe nobody writes would let a plain open wait for ever: it is opened at once,
/// and reads of it do not wait either. Throws `io_error`.
inline descriptor open_to_read(const std::filesystem::path& path, struct ::stat& about) {
  descriptor out(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (out.file < 0) throw_errno(path, "open");
  if (::fstat(out.file, &about) != 0) throw_errno(path, "stat");
  require<io_error>(!S_ISDIR(about.st_mode), path.string(), ": is a folder, not a regular file");
  return out;
}

/// The same, of a regular file alone.
inline descriptor open_regular(const std::filesystem::path& path, struct ::stat& about) {
  descriptor out = open_to_read(path, about);
  require<io_error>(S_ISREG(about.st_mode), path.string(), ": not a regular file");
  return out;
}

}  // namespace mor1e::io::detail
