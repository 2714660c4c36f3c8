// Files and folders that appear whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e::io {

/// A file written beside its destination and renamed over it by `commit()`; destroyed without, it leaves no trace.
///
/// A reader sees the old file or the new one, also after a crash. A symbolic link keeps pointing where it did: its
/// target is replaced. A destination that is no regular file (a pipe, a terminal, /dev/null) is written directly; a
/// pipe that nobody reads is refused.
class atomic_file {
 public:
  /// Opens the temporary file. Throws `io_error` naming the destination.
  explicit atomic_file(std::filesystem::path destination);
  ~atomic_file();
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;

  /// Appends bytes. Throws `io_error` (disk full, ...).
  void write(const void* data, std::size_t bytes);
  void write(std::string_view content) { write(content.data(), content.size()); }

  /// Flushes to disk, renames, and flushes the folder. Throws `io_error`; to be called once.
  void commit();

 private:
  std::filesystem::path destination_;
  std::filesystem::path temporary_;  // empty: writing to the destination itself, or already committed
  int file_ = -1;
};

/// Replaces the file by `content`, atomically.
void write_text(const std::filesystem::path& path, std::string_view content);

/// Replaces the file by the JSON text, indented by two spaces and ended by a newline, atomically.
/// Throws `io_error` also for a string that is not UTF-8.
void write_json(const std::filesystem::path& path, const nlohmann::json& value);

/// A folder filled under a temporary name beside its destination, and put in place by `commit()`; destroyed without,
/// it is removed.
///
///     atomic_folder out("runs/step-100");
///     write_json(out.path() / "config.json", config);
///     out.commit();
///
/// An existing folder at the destination is replaced in one step. What it held and the new one has nothing of stays: it
/// is somebody else's. Where the file system can exchange two names in one step (ext4, xfs, btrfs, tmpfs) no moment
/// exists in which the destination is missing; elsewhere the old folder is renamed aside first, and back again if the
/// second rename fails.
class atomic_folder {
 public:
  /// Makes the temporary folder, and the parents of the destination. `keep_others` false: nothing of an existing
  /// folder stays. Throws `io_error`, also for a destination that exists and is no folder.
  explicit atomic_folder(const std::filesystem::path& destination, bool keep_others = true);
  ~atomic_folder();
  atomic_folder(const atomic_folder&) = delete;
  atomic_folder& operator=(const atomic_folder&) = delete;

  /// The folder to write into until `commit()`.
  const std::filesystem::path& path() const { return temporary_; }

  /// Flushes everything in the folder to disk and puts it in place. What it replaces becomes `previous`, a folder
  /// beside it, if that is given. Throws `io_error`; to be called once.
  void commit(const std::filesystem::path& previous = {});

 private:
  std::filesystem::path destination_;
  std::filesystem::path temporary_;  // empty: committed
  bool keep_others_;
};

/// Removes from `folder` what killed processes left there of atomic files and folders; a folder that was just being
/// replaced is put back. That is: names of exactly the form they have, ".NAME.mor1e-KIND-PLACE-PID-NUMBER", that this
/// process made, or one of this machine that is no more. Everything else stays.
void remove_leftovers(const std::filesystem::path& folder);

/// Throws what writing the file would throw, and leaves nothing: to be asked before the work whose results go there.
/// Also refuses a link that leads nowhere. A pipe is not tried, as its reader would see an end.
void require_writable_file(const std::filesystem::path& path);
/// The same for a folder that is to be filled, or (`whole`) put in place by an `atomic_folder`; parents may be missing.
void require_writable_folder(const std::filesystem::path& path, bool whole = false);

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/atomic_file.ipp"
#endif
