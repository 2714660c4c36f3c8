#pragma once

#include <algorithm>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "mor1e/io/memory_map.hpp"
#include "mor1e/io/system_error.hpp"

namespace mor1e::io {

MOR1E_INLINE memory_map::memory_map(std::filesystem::path path) : path_(std::move(path)) {
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) detail::throw_errno(path_, "open");
  // The mapping outlives the descriptor, so the descriptor is closed on every way out of here.
  struct closer {
    int file;
    ~closer() { ::close(file); }
  } close_it{file};

  struct ::stat about {};
  if (::fstat(file, &about) != 0) detail::throw_errno(path_, "stat");
  require<io_error>(S_ISREG(about.st_mode), path_.string(), ": not a regular file");
  const auto size = static_cast<std::size_t>(about.st_size);
  if (size == 0) return;  // mmap refuses a length of zero
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (address == MAP_FAILED) detail::throw_errno(path_, "map");
  bytes_ = {static_cast<const std::byte*>(address), size};
}

MOR1E_INLINE memory_map::~memory_map() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MOR1E_INLINE memory_map::memory_map(memory_map&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MOR1E_INLINE memory_map& memory_map::operator=(memory_map&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

MOR1E_INLINE void memory_map::drop(std::size_t offset, std::size_t length) const {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t end = offset > bytes_.size() ? 0 : offset + std::min(length, bytes_.size() - offset);
  const std::size_t first = (offset + page - 1) / page * page;
  // The last page of the file has no neighbour behind it: it may go whole.
  const std::size_t last = end == bytes_.size() ? end : end / page * page;
  if (first >= last) return;
  // Advice only: a kernel that refuses it costs memory, not correctness.
  ::madvise(const_cast<std::byte*>(bytes_.data()) + first, last - first, MADV_DONTNEED);
}

}  // namespace mor1e::io
