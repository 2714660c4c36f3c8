#pragma once

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <limits>
#include <optional>
#include <stdio.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/crc32.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/open_file.hpp"

namespace mor1e::io {

namespace detail {

/// This machine, and on it the names that processes have: who is of another place cannot be asked whether it lives.
inline const std::string& place() {
  static const std::string of_here = [] {
    char host[256] = {}, names[64] = {};
    (void)!::gethostname(host, sizeof host - 1);
    (void)!::readlink("/proc/self/ns/pid", names, sizeof names - 1);
    char hex[9];
    std::snprintf(hex, sizeof hex, "%08x", unsigned(crc32(text(host, '/', names))));
    return std::string(hex);
  }();
  return of_here;
}

/// A hidden name in the folder of `destination`, of which no two are equal in this process.
inline std::filesystem::path name_beside(const std::filesystem::path& destination, const char* kind) {
  static std::atomic<unsigned> counter{0};
  return destination.parent_path() / text(".", destination.filename().string(), ".mor1e-", kind, "-", place(), "-",
                                          ::getpid(), "-", counter.fetch_add(1));
}

/// What `name_beside` has put into a name.
struct parts_of_name {
  std::string whole;  ///< of the destination
  bool old = false;   ///< or tmp
  pid_t process = 0;
};

/// The parts of a name that was made on this machine, and of no other name.
inline std::optional<parts_of_name> made_here(std::string_view name) {
  const auto number_at_end = [&]() -> std::int64_t {
    const std::size_t dash = name.rfind('-');
    if (dash == name.npos) return -1;
    const std::string_view digits = name.substr(dash + 1);
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || text(value) != digits) return -1;
    name.remove_suffix(digits.size() + 1);
    return value;
  };
  if (number_at_end() < 0) return std::nullopt;
  const std::int64_t process = number_at_end();
  if (process <= 0 || process > std::numeric_limits<pid_t>::max()) return std::nullopt;
  for (const bool old : {false, true}) {
    const std::string marker = text(".mor1e-", old ? "old" : "tmp", "-", place());
    if (name.starts_with('.') && name.ends_with(marker) && name.size() > marker.size() + 1)
      return parts_of_name{std::string(name.substr(1, name.size() - marker.size() - 1)), old, pid_t(process)};
  }
  return std::nullopt;
}

/// `remove_leftovers`; with `of` only what belongs to that name, and nothing of this process.
inline void remove_leftovers(const std::filesystem::path& folder, const std::optional<std::string>& of) {
  namespace fs = std::filesystem;
  std::error_code code;
  std::vector<std::pair<fs::path, parts_of_name>> found;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code))
    if (auto parts = made_here(entry->path().filename().string()); parts && (!of || parts->whole == *of))
      found.emplace_back(entry->path(), std::move(*parts));
  if (code) throw io_error(text(folder.string(), ": cannot list the folder: ", code.message()));
  for (const auto& [path, parts] : found) {
    const bool ours = parts.process == ::getpid(), dead = ::kill(parts.process, 0) != 0 && errno == ESRCH;
    if (of ? !dead : !(ours || dead)) continue;
    const fs::path whole = folder / parts.whole;
    if (parts.old && !fs::exists(whole, code))
      fs::rename(path, whole, code);
    else
      fs::remove_all(path, code);
  }
}

/// The folder that holds `path`, and there what is left of writing this very name before.
inline void clean_up_beside(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  try {
    remove_leftovers(folder, path.filename().string());
  } catch (const io_error&) {  // a folder that cannot be listed may still be written to
  }
}

/// A link at `path` must lead somewhere.
inline void refuse_dangling(const std::filesystem::path& path) {
  std::error_code ignored;
  require<io_error>(!std::filesystem::is_symlink(path, ignored) || std::filesystem::exists(path, ignored),
                    path.string(), ": cannot write: a link that leads nowhere");
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

/// Puts `from` at `to`. Returns where what stood there is now; empty if nothing did.
inline std::filesystem::path displace(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code ignored;
  if (!std::filesystem::exists(to, ignored)) {
    if (::rename(from.c_str(), to.c_str()) != 0) throw_errno(to, "rename into place");
    return {};
  }
  if (exchange_names(from, to)) return from;
  const std::filesystem::path old = name_beside(to, "old");
  if (::rename(to.c_str(), old.c_str()) != 0) throw_errno(to, "rename aside");
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const int reason = errno;
    ::rename(old.c_str(), to.c_str());
    errno = reason;
    throw_errno(to, "rename into place");
  }
  return old;
}

}  // namespace detail

MOR1E_INLINE atomic_file::atomic_file(std::filesystem::path destination) : destination_(std::move(destination)) {
  struct ::stat about {};
  const bool exists = ::stat(destination_.c_str(), &about) == 0;
  if (exists && !S_ISREG(about.st_mode)) {
    file_ = detail::open_to_write(destination_, 0).release();
    return;
  }
  detail::refuse_dangling(destination_);
  std::error_code ignored;
  if (exists && std::filesystem::is_symlink(destination_, ignored)) {
    auto target = std::filesystem::canonical(destination_, ignored);
    if (!ignored) destination_ = std::move(target);
  }
  detail::clean_up_beside(destination_);
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
  detail::write_all(file_, data, bytes, destination_);
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

namespace detail {

/// Where a folder is put; "out/" is "out". Throws for a path that holds something else.
inline std::filesystem::path place_of_folder(const std::filesystem::path& destination) {
  namespace fs = std::filesystem;
  std::error_code code;
  fs::path out = fs::weakly_canonical(fs::absolute(destination), code);
  if (code) out = fs::absolute(destination);
  if (!out.has_filename()) out = out.parent_path();
  refuse_dangling(out);
  require<io_error>(!fs::exists(out, code) || fs::is_directory(out, code), out.string(),
                    ": exists and is not a folder");
  return out;
}

/// Makes an empty folder beside where `destination` will be.
inline std::filesystem::path make_folder_beside(const std::filesystem::path& destination) {
  std::filesystem::path out;
  int failed;
  do {
    out = name_beside(destination, "tmp");
    failed = ::mkdir(out.c_str(), 0777);
  } while (failed && errno == EEXIST);
  if (failed) throw_errno(destination, "make the folder");
  return out;
}

/// What a folder holds and another has no entry for, put into that one, too: files as further names of the same file
/// where that is possible, so that nothing is lost whatever happens next.
inline void carry_over(const std::filesystem::path& from, const std::filesystem::path& to) {
  namespace fs = std::filesystem;
  std::error_code code;
  if (!fs::is_directory(from, code) || !fs::is_directory(to, code)) return;
  for (fs::directory_iterator entry(from, code), end; !code && entry != end; entry.increment(code)) {
    const fs::path there = to / entry->path().filename();
    if (fs::exists(fs::symlink_status(there))) continue;
    constexpr auto all = fs::copy_options::recursive | fs::copy_options::copy_symlinks;
    std::error_code failed;
    fs::copy(entry->path(), there, all | fs::copy_options::create_hard_links, failed);
    if (failed) fs::copy(entry->path(), there, all | fs::copy_options::overwrite_existing, failed);
    if (failed)
      throw io_error(text(entry->path().string(), ": cannot be kept when its folder is replaced: ", failed.message()));
  }
  if (code) throw io_error(text(from.string(), ": cannot list the folder: ", code.message()));
}

}  // namespace detail

MOR1E_INLINE atomic_folder::atomic_folder(const std::filesystem::path& destination, bool keep_others)
    : destination_(detail::place_of_folder(destination)), keep_others_(keep_others) {
  std::error_code code;
  std::filesystem::create_directories(destination_.parent_path(), code);
  if (code) throw io_error(text(destination_.parent_path().string(), ": cannot make the folder: ", code.message()));
  detail::clean_up_beside(destination_);
  temporary_ = detail::make_folder_beside(destination_);
}

MOR1E_INLINE atomic_folder::~atomic_folder() {
  std::error_code ignored;
  if (!temporary_.empty()) std::filesystem::remove_all(temporary_, ignored);
}

MOR1E_INLINE void atomic_folder::commit(const std::filesystem::path& previous) {
  namespace fs = std::filesystem;
  require<io_error>(!temporary_.empty(), destination_.string(), ": already committed");
  if (keep_others_) detail::carry_over(destination_, temporary_);
  if (!previous.empty()) detail::carry_over(previous, destination_);
  std::error_code code;
  for (fs::recursive_directory_iterator entry(temporary_, code), end; !code && entry != end; entry.increment(code)) {
    if (entry->is_symlink()) continue;
    if (entry->is_regular_file()) detail::flush_to_disk(entry->path(), 0);
    if (entry->is_directory()) detail::flush_to_disk(entry->path(), O_DIRECTORY);
  }
  if (code) throw io_error(text(destination_.string(), ": cannot list the new folder: ", code.message()));
  detail::flush_to_disk(temporary_, O_DIRECTORY);

  fs::path old = detail::displace(temporary_, destination_);
  temporary_.clear();
  if (!old.empty() && !previous.empty()) old = detail::displace(old, previous);
  detail::flush_to_disk(destination_.parent_path(), O_DIRECTORY);
  if (!old.empty()) fs::remove_all(old, code);  // the new folder stands: a leftover is no failure
}

MOR1E_INLINE void remove_leftovers(const std::filesystem::path& folder) {
  detail::remove_leftovers(folder, std::nullopt);
}

MOR1E_INLINE void require_writable_file(const std::filesystem::path& path) {
  struct ::stat about {};
  if (::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode)) {
    require<io_error>(!S_ISDIR(about.st_mode), path.string(), ": cannot write: is a folder");
    if (::access(path.c_str(), W_OK) != 0) detail::throw_errno(path, "write");
    return;
  }
  atomic_file not_committed(path);
}

MOR1E_INLINE void require_writable_folder(const std::filesystem::path& path, bool whole) {
  namespace fs = std::filesystem;
  const fs::path destination = detail::place_of_folder(path);
  std::error_code code;
  // What has to take a new entry: the folder itself, or the last on its path that is there.
  fs::path in = !whole && fs::exists(destination, code) ? destination : destination.parent_path();
  for (; !fs::exists(in, code) && in.has_relative_path(); in = in.parent_path()) detail::refuse_dangling(in);
  require<io_error>(fs::is_directory(in, code), path.string(), ": cannot make the folder: ", in.string(),
                    " is not a folder");
  fs::remove(detail::make_folder_beside(in / destination.filename()), code);
}

}  // namespace mor1e::io
