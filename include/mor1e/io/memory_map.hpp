// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "mor1e/core/config.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e::io {

/// A read-only mapping of a whole regular file; unmapped by the destructor. An empty file maps to an empty span.
class memory_map {
 public:
  /// Throws `io_error` naming the file if it is missing, unreadable, or no regular file.
  explicit memory_map(std::filesystem::path path);
  ~memory_map();
  memory_map(memory_map&& other) noexcept;
  memory_map& operator=(memory_map&& other) noexcept;

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }

  /// Tells the kernel that the bytes [offset, offset + length) are not needed for now, so that they leave the resident
  /// set: converting a large file tensor by tensor then never holds both forms of all of it. Reading them again is
  /// allowed and reads from the file. Pages shared with bytes outside the range stay.
  void drop(std::size_t offset, std::size_t length) const;

 private:
  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
};

/// From here on a mapped file that somebody makes shorter while it is read ends the process with exit code 1 and one
/// line, "PROGRAM: FILE: ...", instead of SIGBUS. For programs: the handler of a signal is the process's alone.
void report_shortened_maps(std::string_view program);

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/memory_map.ipp"
#endif
