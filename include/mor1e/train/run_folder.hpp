// The folder a run writes into.
#pragma once

#include <filesystem>

#include "mor1e/core/config.hpp"

namespace mor1e::train {

/// A folder that this process alone trains into while the object lives. The system drops the lock of a killed process.
class run_folder {
 public:
  /// Makes the folder, locks it, and removes what a killed process left half-written. Throws `io_error` for a folder
  /// that cannot be made or is being trained into.
  MOR1E_INLINE explicit run_folder(std::filesystem::path path);
  MOR1E_INLINE ~run_folder();
  run_folder(const run_folder&) = delete;
  run_folder& operator=(const run_folder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Throws `io_error` unless the path still leads to the folder that is locked: nothing is to be written into what
  /// somebody else has put in its place, nor a folder that was removed made again.
  MOR1E_INLINE void require_in_place() const;

 private:
  std::filesystem::path path_;
  int folder_ = -1;
};

}  // namespace mor1e::train

#ifndef MOR1E_COMPILED
#include "mor1e/train/run_folder.ipp"
#endif
