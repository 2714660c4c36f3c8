// Runs built programs as a shell does, in a folder of their own.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <sys/wait.h>

#include <doctest/doctest.h>

#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

namespace mor1e::testing {

struct outcome {
  int code = -1;
  std::string out, err;
};

class shell {
 public:
  /// Where the programs run, and what they leave.
  std::filesystem::path operator/(const std::filesystem::path& name) const { return folder_ / name; }
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path()))
      names.insert(entry.path().string());
    return names;
  }

  outcome run(const std::string& program, const std::string& arguments) const {
    return run_command(MOR1E_PROGRAMS_DIR "/" + program + " " + arguments);
  }
  outcome run_command(const std::string& line) const {
    const auto out = (streams_ / "out").string(), err = (streams_ / "err").string();
    const std::string command = "cd '" + folder_.path().string() + "' && " + line + " >" + out + " 2>" + err;
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, io::read_text(out), io::read_text(err)};
  }

  /// Succeeds, and prints nothing on stderr. Returns what it prints on stdout.
  std::string check_success(const std::string& program, const std::string& arguments) const {
    CAPTURE(arguments);
    const outcome got = run(program, arguments);
    CAPTURE(got.err);
    REQUIRE(got.code == 0);
    CHECK(got.err == "");
    return got.out;
  }

  /// Fails with this code, one line on stderr that begins with the program's name and holds `why`, and leaves no new
  /// file.
  void check_refusal(const std::string& program, const std::string& arguments, int code, const std::string& why) const {
    CAPTURE(program);
    CAPTURE(arguments);
    const auto before = files();
    const outcome got = run(program, arguments);
    CAPTURE(got.err);
    CHECK(got.code == code);
    CHECK(got.out == "");
    CHECK(got.err.starts_with(std::filesystem::path(program).filename().string() + ": "));
    CHECK(got.err.find('\n') == got.err.size() - 1);
    CHECK(got.err.find(why) != std::string::npos);
    CHECK(files() == before);
  }

 private:
  temporary_folder folder_, streams_;
};

}  // namespace mor1e::testing
