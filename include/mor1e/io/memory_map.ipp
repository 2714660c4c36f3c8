#pragma once

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>
#include <sys/mman.h>
#include <utility>

#include "mor1e/io/memory_map.hpp"
#include "mor1e/io/open_file.hpp"

namespace mor1e::io {

namespace detail {

/// What a signal handler can read: the mappings of the process, as far as there is room.
struct known_map {
  std::atomic<const std::byte*> begin{nullptr};  // null: free
  std::size_t bytes = 0;
  char path[256] = {};
};
inline constexpr std::size_t most_maps = 1024;
inline known_map known_maps[most_maps];

inline void remember_map(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  for (known_map& at : known_maps) {
    if (at.begin) continue;
    at.bytes = bytes.size();
    at.path[path.string().copy(at.path, sizeof at.path - 1)] = 0;
    at.begin = bytes.data();
    return;
  }
}
inline void forget_map(const std::byte* begin) {
  for (known_map& at : known_maps)
    if (at.begin == begin) at.begin = nullptr;
}

inline char program_name[64] = {};

/// Only what a handler may do: compare, write, end.
inline void on_bus_error(int, siginfo_t* about, void*) {
  const auto* where = static_cast<const std::byte*>(about->si_addr);
  for (const known_map& at : known_maps) {
    const std::byte* begin = at.begin;
    if (!begin || where < begin || where >= begin + at.bytes) continue;
    for (const char* part : {static_cast<const char*>(program_name), ": ", static_cast<const char*>(at.path),
                             ": the file became shorter while it was read\n"})
      (void)!::write(STDERR_FILENO, part, std::strlen(part));
    ::_exit(1);
  }
  ::signal(SIGBUS, SIG_DFL);  // not ours: the instruction faults again, and ends the process
}

}  // namespace detail

MOR1E_INLINE void report_shortened_maps(std::string_view program) {
  detail::program_name[program.copy(detail::program_name, sizeof detail::program_name - 1)] = 0;
  struct ::sigaction action {};
  action.sa_sigaction = &detail::on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

MOR1E_INLINE memory_map::memory_map(std::filesystem::path path) : path_(std::move(path)) {
  struct ::stat about {};
  const detail::descriptor opened = detail::open_regular(path_, about);  // the mapping outlives it
  const auto size = static_cast<std::size_t>(about.st_size);
  if (size == 0) return;  // mmap refuses a length of zero
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, opened.file, 0);
  if (address == MAP_FAILED) detail::throw_errno(path_, "map");
  bytes_ = {static_cast<const std::byte*>(address), size};
  detail::remember_map(bytes_, path_);
}

MOR1E_INLINE memory_map::~memory_map() {
  if (bytes_.empty()) return;
  detail::forget_map(bytes_.data());
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
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
