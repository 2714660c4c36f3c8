// Definitions of train/run_folder.hpp.
#pragma once

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/system_error.hpp"
#include "mor1e/train/run_folder.hpp"

namespace mor1e::train {

MOR1E_INLINE run_folder::run_folder(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code failed;
  std::filesystem::create_directories(path_, failed);
  if (failed) throw io_error(text(path_.string(), ": cannot make the folder: ", failed.message()));
  folder_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) io::detail::throw_errno(path_, "open the folder");
  if (::flock(folder_, LOCK_EX | LOCK_NB) == 0) {
    io::remove_leftovers(path_);
  } else if (errno == EWOULDBLOCK) {
    ::close(folder_);
    throw io_error(text(path_.string(), ": another process is training into this folder"));
  }  // else a file system without locks: nobody knows who else writes there, so what lies there stays
}

MOR1E_INLINE void run_folder::require_in_place() const {
  struct ::stat held, there;
  if (::fstat(folder_, &held) != 0) io::detail::throw_errno(path_, "stat the folder");
  const bool found = ::stat(path_.c_str(), &there) == 0;
  require<io_error>(found && held.st_dev == there.st_dev && held.st_ino == there.st_ino, path_.string(),
                    found ? ": the folder of the run was replaced by another" : ": the folder of the run is gone");
}

MOR1E_INLINE run_folder::~run_folder() { ::close(folder_); }

}  // namespace mor1e::train
