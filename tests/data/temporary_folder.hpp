// A folder of one test, removed at its end.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

struct temporary_folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("mor1e-data-test-" + std::to_string(getpid()));

  temporary_folder() {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~temporary_folder() { std::filesystem::remove_all(path); }

  std::filesystem::path file(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << content;
    return path / name;
  }
};
