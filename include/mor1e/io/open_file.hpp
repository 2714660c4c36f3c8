// Files opened without waiting for anybody at the other end.
#pragma once

#include <algorithm>
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
  /// Hands it on.
  int release() { return std::exchange(file, -1); }
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

/// Opens a file to write into it: `flags` are O_CREAT, O_TRUNC, O_APPEND. Not to wait for somebody to read a pipe; what
/// is read is then written at the reader's pace. Throws `io_error`.
inline descriptor open_to_write(const std::filesystem::path& path, int flags) {
  descriptor out(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK | flags, 0666));
  if (out.file < 0 && errno == ENXIO) throw io_error(text(path.string(), ": cannot write: nobody reads this pipe"));
  if (out.file < 0) throw_errno(path, "write");
  ::fcntl(out.file, F_SETFL, ::fcntl(out.file, F_GETFL) & ~O_NONBLOCK);
  return out;
}

/// Writes all of it. Throws `io_error` naming the file.
inline void write_all(int file, const void* data, std::size_t bytes, const std::filesystem::path& path) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(file, next, std::min<std::size_t>(bytes, 1u << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno(path, "write");
    next += written;
    bytes -= std::size_t(written);
  }
}

}  // namespace mor1e::io::detail
