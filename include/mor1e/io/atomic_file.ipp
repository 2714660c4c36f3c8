#pragma once

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/system_error.hpp"

namespace mor1e::io {

namespace detail {

/// A hidden name in the folder of `destination`, of which no two are equal in this process.
inline std::filesystem::path name_beside(const std::filesystem::path& destination, const char* kind) {
  static std::atomic<unsigned> counter{0};
  return destination.parent_path() /
         text(".", destination.filename().string(), ".", kind, "-", ::getpid(), "-", counter.fetch_add(1));
}

/// Flushes a file or a folder (its list of names) to disk.
inline void flush_to_disk(const std::filesystem::path& path, int flags) {
  const int file = ::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (file < 0) throw_errno(path, "open");
  const int failed = ::fsync(file);
  const int code = errno;
  ::close(file);
  // Some network file systems cannot flush a folder and say EINVAL; the rename is then as durable as it gets there.
  if (failed && !(code == EINVAL && (flags & O_DIRECTORY))) {
    errno = code;
    throw_errno(path, "flush");
  }
}

/// `a` and `b` change places in one step; false where kernel or file system cannot.
inline bool exchange_names(const std::filesystem::path& a, const std::filesystem::path& b) {
#ifdef RENAME_EXCHANGE
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
#else
  return (void)a, (void)b, false;
#endif
}

}  // namespace detail

MOR1E_INLINE atomic_file::atomic_file(std::filesystem::path destination) : destination_(std::move(destination)) {
  struct ::stat about {};
  const bool exists = ::stat(destination_.c_str(), &about) == 0;
  if (exists && !S_ISREG(about.st_mode)) {
    file_ = ::open(destination_.c_str(), O_WRONLY | O_CLOEXEC);
    if (file_ < 0) detail::throw_errno(destination_, "write");
    return;
  }
  std::error_code ignored;
  if (exists && std::filesystem::is_symlink(destination_, ignored)) {
    auto target = std::filesystem::canonical(destination_, ignored);
    if (!ignored) destination_ = std::move(target);
  }
  do {
    temporary_ = detail::name_beside(destination_, "tmp");
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (file_ < 0 && errno == EEXIST);
  if (file_ < 0) detail::throw_errno(destination_, "write");
  // Replacing a file keeps its permissions; a new one gets what the umask leaves of 0666.
  if (exists) (void)!::fchmod(file_, about.st_mode & 07777);
}

MOR1E_INLINE atomic_file::~atomic_file() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

MOR1E_INLINE void atomic_file::write(const void* data, std::size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(file_, next, std::min<std::size_t>(bytes, 1u << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) detail::throw_errno(destination_, "write");
    next += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

MOR1E_INLINE void atomic_file::commit() {
  require<io_error>(file_ >= 0, destination_.string(), ": already committed");
  if (!temporary_.empty() && ::fsync(file_) != 0) detail::throw_errno(destination_, "flush");
  if (::close(std::exchange(file_, -1)) != 0) detail::throw_errno(destination_, "close");
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), destination_.c_str()) != 0) detail::throw_errno(destination_, "rename into place");
  temporary_.clear();
  detail::flush_to_disk(destination_.parent_path(), O_DIRECTORY);
}

MOR1E_INLINE void write_text(const std::filesystem::path& path, std::string_view content) {
  atomic_file file(path);
  file.write(content);
  file.commit();
}

MOR1E_INLINE void write_json(const std::filesystem::path& path, const nlohmann::json& value) {
  std::string content;
  try {
    content = value.dump(2);
  } catch (const nlohmann::json::exception&) {
    throw io_error(text(path.string(), ": cannot write JSON: a string is not UTF-8"));
  }
  write_text(path, content + "\n");
}

MOR1E_INLINE atomic_folder::atomic_folder(const std::filesystem::path& destination) {
  namespace fs = std::filesystem;
  std::error_code code;
  destination_ = fs::weakly_canonical(fs::absolute(destination), code);
  if (code) destination_ = fs::absolute(destination);
  if (!destination_.has_filename()) destination_ = destination_.parent_path();  // "out/" is "out"
  require<io_error>(!fs::exists(destination_, code) || fs::is_directory(destination_, code), destination_.string(),
                    ": exists and is not a folder");
  fs::create_directories(destination_.parent_path(), code);
  if (code) throw io_error(text(destination_.parent_path().string(), ": cannot make the folder: ", code.message()));
  int failed;
  do {
    temporary_ = detail::name_beside(destination_, "tmp");
    failed = ::mkdir(temporary_.c_str(), 0777);
  } while (failed && errno == EEXIST);
  if (failed) detail::throw_errno(destination_, "make the folder");
}

MOR1E_INLINE atomic_folder::~atomic_folder() {
  std::error_code ignored;
  if (!temporary_.empty()) std::filesystem::remove_all(temporary_, ignored);
}

MOR1E_INLINE void atomic_folder::commit() {
  namespace fs = std::filesystem;
  require<io_error>(!temporary_.empty(), destination_.string(), ": already committed");
  std::error_code code;
  for (fs::recursive_directory_iterator entry(temporary_, code), end; !code && entry != end; entry.increment(code)) {
    if (entry->is_symlink()) continue;
    if (entry->is_regular_file()) detail::flush_to_disk(entry->path(), 0);
    if (entry->is_directory()) detail::flush_to_disk(entry->path(), O_DIRECTORY);
  }
  if (code) throw io_error(text(destination_.string(), ": cannot list the new folder: ", code.message()));
  detail::flush_to_disk(temporary_, O_DIRECTORY);

  fs::path old;  // where the replaced folder stands, to be removed
  if (fs::exists(destination_, code)) {
    if (detail::exchange_names(temporary_, destination_)) {
      old = temporary_;
    } else {
      old = detail::name_beside(destination_, "old");
      if (::rename(destination_.c_str(), old.c_str()) != 0) detail::throw_errno(destination_, "rename aside");
      if (::rename(temporary_.c_str(), destination_.c_str()) != 0) {
        const int reason = errno;
        ::rename(old.c_str(), destination_.c_str());
        errno = reason;
        detail::throw_errno(destination_, "rename into place");
      }
    }
  } else if (::rename(temporary_.c_str(), destination_.c_str()) != 0) {
    detail::throw_errno(destination_, "rename into place");
  }
  temporary_.clear();
  detail::flush_to_disk(destination_.parent_path(), O_DIRECTORY);
  if (!old.empty()) fs::remove_all(old, code);  // the new folder stands: a leftover is no failure
}

MOR1E_INLINE void remove_leftovers(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code code;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code))
    found.push_back(entry->path());
  if (code) throw io_error(text(folder.string(), ": cannot list the folder: ", code.message()));
  for (const fs::path& path : found) {
    const std::string name = path.filename().string();
    const std::size_t temporary = name.rfind(".tmp-"), old = name.rfind(".old-");
    if (name[0] != '.' || (temporary == name.npos && old == name.npos)) continue;
    const fs::path whole = folder / name.substr(1, std::min(temporary, old) - 1);
    if (temporary == name.npos && !fs::exists(whole, code))
      fs::rename(path, whole, code);
    else
      fs::remove_all(path, code);
  }
}

}  // namespace mor1e::io
