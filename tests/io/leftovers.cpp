// What killed processes leave of atomic files and folders, and what only looks like it.
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <set>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/memory_map.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;
using mor1e::testing::temporary_folder;
namespace fs = std::filesystem;

namespace {

/// The number of a process that is no more.
pid_t dead_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

/// The mark of this machine in such names, as it stands in a real one.
std::string place() {
  static const std::string found = [] {
    const temporary_folder folder;
    const std::string name = atomic_folder(folder / "x").path().filename().string(), before = ".x.mor1e-tmp-";
    REQUIRE(name.starts_with(before));
    return name.substr(before.size(), name.find('-', before.size()) - before.size());
  }();
  return found;
}
/// The name that a process of this machine gives to what it puts at `name`.
std::string name_of(const std::string& name, const char* kind, pid_t process, int number = 0) {
  return text(".", name, ".mor1e-", kind, "-", place(), "-", process, "-", number);
}

}  // namespace

TEST_CASE("leftovers of this process and of dead ones go; of a living one, of another machine, and all else stays") {
  temporary_folder folder;
  const pid_t dead = dead_process();
  for (const pid_t process : {dead, ::getpid()}) {
    write_text(folder / name_of("a.json", "tmp", process), "");
    fs::create_directories(folder / name_of("run", "tmp", process, 7) / "inner");
    fs::create_directory(folder / name_of("kept", "old", process));
  }
  fs::create_directory(folder / "kept");
  const std::vector<std::string> stay = {
      ".notes.tmp-backup", ".bashrc.old-1", ".profile.old-2023", ".x.tmp-12a-3", ".x.tmp-1-2", "kept",
      // Almost ours.
      name_of("x", "tmp", dead) + "~", name_of("x", "tmp", dead) + "-", name_of("x", "tmp", dead).substr(1),
      text(".x.mor1e-tmp-", place(), "-12a-3"), text(".x.mor1e-tmp-", place(), "-", dead, "-03"),
      text(".x.mor1e-tmp-", place(), "-0", dead, "-3"), text(".x.mor1e-tmp-", place(), "-", dead),
      text(".x.mor1e-tmp-", dead, "-3"), text(".x.mor1e-new-", place(), "-", dead, "-3"),
      text(".mor1e-tmp-", place(), "-", dead, "-3"), text(".x.mor1e-tmp-", place(), "-0-3"),
      text(".x.mor1e-tmp-0123abcd-", dead, "-3"),  // another machine's: who knows whether that process lives
      name_of("x", "tmp", 1), name_of("x", "old", 1)};
  for (const std::string& name : stay)
    if (!fs::exists(folder / name)) write_text(folder / name, "dear to somebody");
  remove_leftovers(folder.path());
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder.path())) left.push_back(entry.path().filename().string());
  CHECK(std::set(left.begin(), left.end()) == std::set(stay.begin(), stay.end()));
}

TEST_CASE("a folder that was renamed aside by a process that died then is put back") {
  temporary_folder folder;
  const pid_t dead = dead_process();
  fs::create_directory(folder / name_of("run", "old", dead));
  write_text(folder / name_of("run", "old", dead) / "a", "1");
  fs::create_directory(folder / name_of("run", "tmp", dead));
  remove_leftovers(folder.path());
  CHECK(read_text(folder / "run" / "a") == "1");
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("who writes a name cleans up what a dead process left of writing it, and nothing else") {
  temporary_folder folder;
  const pid_t dead = dead_process();
  const std::string file = name_of("a.json", "tmp", dead), run = name_of("run", "tmp", dead),
                    other = name_of("b.json", "tmp", dead), own = name_of("a.json", "tmp", ::getpid(), 1 << 30);
  for (const std::string& name : {file, other, own}) write_text(folder / name, "half");
  fs::create_directory(folder / run);
  write_text(folder / "a.json", "whole");
  CHECK(!fs::exists(folder / file));
  { atomic_folder not_committed(folder / "run"); }
  CHECK(!fs::exists(folder / run));
  CHECK(fs::exists(folder / other));
  CHECK(fs::exists(folder / own));
}

TEST_CASE("a folder that is replaced can stay as the previous one") {
  temporary_folder folder;
  for (int i = 0; i < 4; ++i) {
    atomic_folder out(folder / "state");
    write_text(out.path() / "number", std::to_string(i));
    out.commit(folder / "state.previous");
    CHECK(read_text(folder / "state" / "number") == std::to_string(i));
    CHECK(fs::exists(folder / "state.previous") == (i > 0));
    if (i > 0) CHECK(read_text(folder / "state.previous" / "number") == std::to_string(i - 1));
    // Notes of somebody else stay, wherever they were put.
    if (i == 0) write_text(folder / "state" / "notes", "mine");
    if (i == 1) write_text(folder / "state.previous" / "more", "mine, too");
    if (i > 0) CHECK(read_text(folder / "state" / "notes") == "mine");
    if (i > 1) CHECK(read_text(folder / "state.previous" / "more") == "mine, too");
  }
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 2);
}

TEST_CASE("what cannot be written is known before, and asking leaves nothing") {
  temporary_folder folder;
  write_text(folder / "file", "here");
  fs::create_directory(folder / "folder");
  fs::create_symlink("nowhere", folder / "dangling");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (const char* good : {"file", "new"}) require_writable_file(folder / good);
  require_writable_file("/dev/null");
  require_writable_file(folder / "pipe");  // and does not wait for a reader
  for (const char* good : {"folder", "new", "new/deep", "folder/new/"}) {
    require_writable_folder(folder / good);
    require_writable_folder(folder / good, true);
  }
  const auto refused = [&](const fs::path& path, const char* why, bool as_file, bool as_folder) {
    CAPTURE(path);
    if (as_file) CHECK_THROWS_WITH_AS(require_writable_file(path), doctest::Contains(why), io_error);
    if (as_folder)
      for (const bool whole : {false, true})
        CHECK_THROWS_WITH_AS(require_writable_folder(path, whole), doctest::Contains(why), io_error);
  };
  refused(folder / "none" / "a", "none/a: cannot write: No such file", true, false);
  refused(folder.path(), "is a folder", true, false);
  refused(folder / "file" / "a", "file", true, true);
  refused(folder / "file", "exists and is not a folder", false, true);
  refused(folder / "dangling", "leads nowhere", true, true);
  refused(folder / "dangling" / "a", "", true, true);
  refused("/proc/a", "", true, true);
  CHECK_THROWS_WITH_AS(write_text(folder / "dangling", ""), doctest::Contains("leads nowhere"), io_error);
  CHECK_THROWS_AS(atomic_folder(folder / "dangling"), io_error);
  if (::geteuid() != 0) {
    fs::permissions(folder / "folder", fs::perms::owner_read | fs::perms::owner_exec);
    refused(folder / "folder" / "a", "Permission denied", true, true);
    fs::permissions(folder / "folder", fs::perms::owner_all);
  }
  CHECK(std::distance(fs::recursive_directory_iterator(folder.path()), {}) == 4);
}

TEST_CASE("a pipe is read when somebody writes it, and waited for neither way when nobody does") {
  temporary_folder folder;
  const std::string pipe = (folder / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(write_text(pipe, "x"), doctest::Contains("nobody reads this pipe"), io_error);
  CHECK_THROWS_WITH_AS(memory_map{pipe}, doctest::Contains("not a regular file"), io_error);
  CHECK_THROWS_WITH_AS(sha256_of_file(pipe), doctest::Contains("not a regular file"), io_error);
  for (const int after : {0, 300000}) {  // microseconds until the writer comes
    const pid_t writer = ::fork();
    if (writer == 0) {
      ::usleep(after);
      const int to = ::open(pipe.c_str(), O_WRONLY);
      for (const char* part : {"[1,", "2]"}) {
        (void)!::write(to, part, std::strlen(part));
        ::usleep(100000);
      }
      ::_exit(0);
    }
    CHECK(read_text(pipe) == "[1,2]");
    ::waitpid(writer, nullptr, 0);
  }
  CHECK_THROWS_WITH_AS(read_text(pipe), doctest::Contains("nothing came through"), io_error);
}

TEST_CASE("a mapped file that becomes shorter ends a program with one line, its name, and code 1") {
  temporary_folder folder;
  write_text(folder / "weights", std::string(1 << 20, 'x'));
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    report_shortened_maps("reader");
    const memory_map map(folder / "weights");
    fs::resize_file(folder / "weights", 0);
    volatile std::byte last = map.bytes().back();
    ::_exit(last == std::byte{0} ? 98 : 99);
  }
  ::close(ends[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  char said[512] = {};
  (void)!::read(ends[0], said, sizeof said - 1);
  ::close(ends[0]);
  CHECK(std::string(said) ==
        text("reader: ", (folder / "weights").string(), ": the file became shorter while it was read\n"));
}
