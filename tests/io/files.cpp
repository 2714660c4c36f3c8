// Mapping, atomic writing and hashing.
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

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

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * std::size_t(::sysconf(_SC_PAGESIZE));
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) out.insert(entry.path().filename().string());
  return out;
}

std::span<const std::byte> bytes_of(std::string_view content) { return std::as_bytes(std::span(content)); }

}  // namespace

TEST_CASE("a mapping shows the file and moves") {
  temporary_folder folder;
  write_text(folder / "a", "hello");
  write_text(folder / "empty", "");
  memory_map map(folder / "a");
  memory_map moved = std::move(map);
  REQUIRE(moved.bytes().size() == 5);
  CHECK(std::memcmp(moved.bytes().data(), "hello", 5) == 0);
  CHECK(moved.path() == folder / "a");
  CHECK(map.bytes().empty());
  CHECK(memory_map(folder / "empty").bytes().empty());
  CHECK_THROWS_WITH_AS(memory_map(folder / "none"), doctest::Contains("none: cannot open"), io_error);
  CHECK_THROWS_WITH_AS(memory_map(folder.path()), doctest::Contains("not a regular file"), io_error);
}

TEST_CASE("dropped pages leave the resident set and can be read again") {
  temporary_folder folder;
  constexpr std::size_t size = 64 << 20;
  write_text(folder / "big", std::string(size, 'x'));
  const memory_map map(folder / "big");
  const auto sum = [&] {
    std::size_t total = 0;
    for (const std::byte b : map.bytes()) total += std::to_integer<std::size_t>(b);
    return total;
  };
  CHECK(sum() == size * 'x');
  const std::size_t before = resident_bytes();
  map.drop(0, size);
  CHECK(resident_bytes() + size / 2 < before);
  CHECK(sum() == size * 'x');
  // Ranges of any kind are only advice.
  map.drop(5, 10);
  map.drop(size - 1, 100);
  map.drop(size + 5000, 1);
  CHECK(sum() == size * 'x');
}

TEST_CASE("an atomic file appears at commit, keeps permissions and links, and leaves nothing behind") {
  temporary_folder folder;
  write_text(folder / "a", "old");
  {
    atomic_file file(folder / "a");
    file.write("new");
    CHECK(read_text(folder / "a") == "old");
  }
  CHECK(read_text(folder / "a") == "old");
  CHECK(names_in(folder.path()) == std::set<std::string>{"a"});

  fs::permissions(folder / "a", fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("a", folder / "link");
  write_text(folder / "link", "new");
  CHECK(read_text(folder / "a") == "new");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(fs::status(folder / "a").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(names_in(folder.path()) == std::set<std::string>{"a", "link"});

  CHECK_THROWS_WITH_AS(write_text(folder / "none" / "a", ""), doctest::Contains("none/a: cannot write"), io_error);
  CHECK_THROWS_AS(write_text(folder.path(), ""), io_error);
  atomic_file twice(folder / "b");
  twice.commit();
  CHECK_THROWS_WITH_AS(twice.commit(), doctest::Contains("already committed"), io_error);
}

TEST_CASE("a device is written directly, not replaced") {
  temporary_folder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  // Both ends in one process: the reader must be open before a writer may open.
  const int reader = ::open((folder / "pipe").c_str(), O_RDONLY | O_NONBLOCK);
  write_text(folder / "pipe", "through");
  char got[16] = {};
  CHECK(::read(reader, got, sizeof got) == 7);
  ::close(reader);
  CHECK(std::string(got) == "through");
  CHECK(fs::is_fifo(folder / "pipe"));
}

TEST_CASE("JSON and text files") {
  temporary_folder folder;
  const nlohmann::json value = {{"a", {1, 2.5}}, {"b", "caf\u00e9"}};
  write_json(folder / "v.json", value);
  CHECK(read_json(folder / "v.json") == value);
  CHECK(read_text(folder / "v.json").back() == '\n');
  CHECK_THROWS_WITH_AS(write_json(folder / "bad.json", "\xff"), doctest::Contains("not UTF-8"), io_error);
  CHECK(!fs::exists(folder / "bad.json"));
  write_text(folder / "cut.json", "{\"a\": [1,");
  CHECK_THROWS_WITH_AS(read_json(folder / "cut.json"), doctest::Contains("cut.json: not valid JSON at byte"), io_error);
  CHECK_THROWS_WITH_AS(read_text(folder / "none"), doctest::Contains("none: cannot open"), io_error);
  CHECK_THROWS_AS(read_text(folder.path()), io_error);
}

TEST_CASE("an atomic folder appears at commit in place of the old one, with what others put there") {
  temporary_folder folder;
  {
    atomic_folder out(folder / "runs" / "step");
    write_text(out.path() / "a", "1");
    fs::create_directory(out.path() / "inner");
    write_text(out.path() / "inner" / "b", "2");
    CHECK(!fs::exists(folder / "runs" / "step"));
    out.commit();
    CHECK_THROWS_AS(out.commit(), io_error);
  }
  CHECK(read_text(folder / "runs" / "step" / "inner" / "b") == "2");
  { atomic_folder abandoned(folder / "runs" / "step"); }
  CHECK(read_text(folder / "runs" / "step" / "a") == "1");

  atomic_folder next(folder / "runs" / "step/");
  write_text(next.path() / "c", "3");
  write_text(next.path() / "a", "4");
  fs::create_symlink("nowhere", folder / "runs" / "step" / "link");
  next.commit();
  CHECK(names_in(folder / "runs" / "step") == std::set<std::string>{"a", "c", "inner", "link"});
  CHECK(read_text(folder / "runs" / "step" / "a") == "4");
  CHECK(read_text(folder / "runs" / "step" / "inner" / "b") == "2");
  CHECK(names_in(folder / "runs") == std::set<std::string>{"step"});

  write_text(folder / "file", "");
  CHECK_THROWS_WITH_AS(atomic_folder(folder / "file"), doctest::Contains("not a folder"), io_error);
}

TEST_CASE("SHA-256 of the standard's examples, in pieces and of files") {
  CHECK(sha256_of({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_of(bytes_of("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // The standard's third example fits the buffer a file is read through; 3 MiB do not.
  temporary_folder folder;
  const std::string million(1000000, 'a');
  write_text(folder / "a", million);
  CHECK(sha256_of_file(folder / "a") == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  const std::string longer(3 << 20, 'b');
  write_text(folder / "b", longer);
  sha256 pieces;
  pieces.update(bytes_of(longer).first(12345));
  pieces.update(bytes_of(longer).subspan(12345));
  CHECK(pieces.hex() == sha256_of_file(folder / "b"));
  CHECK_THROWS_WITH_AS(sha256_of_file(folder / "none"), doctest::Contains("none: cannot open"), io_error);
  CHECK_THROWS_AS(sha256_of_file(folder.path()), io_error);
}
