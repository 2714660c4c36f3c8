// Golden fixtures of models: walking them, and comparing with their tensors.
#pragma once

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/io/safetensors.hpp"
#include "mor1e/testing/golden.hpp"

namespace mor1e::testing {

/// Calls `run(folder)` for each fixture below golden/<family>. A model that is refused as not supported is counted and
/// named; every other error is a failure, and so is a family in which nothing ran.
template <class Run>
void for_each_fixture(const char* family, Run run) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder() / family))
    if (entry.is_directory()) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  int ran = 0, unsupported = 0;
  for (const auto& folder : folders) {
    CAPTURE(folder.filename().string());
    try {
      run(folder);
      ++ran;
    } catch (const value_error& refusal) {
      const bool expected = std::string_view(refusal.what()).find("not supported") != std::string_view::npos;
      CHECK_MESSAGE(expected, refusal.what());
      if (expected) std::cout << "unsupported: " << folder.filename().string() << '\n';
      unsupported += expected;
    } catch (const std::exception& failure) {
      FAIL_CHECK(failure.what());
    }
  }
  std::cout << family << ": " << ran << " compared, " << unsupported << " unsupported\n";
  REQUIRE(ran > 0);
}

/// Ours against the tensor of that name: shape (vectors may be matrices of one row), then values.
template <class T>
void compare(const io::safetensors_file& golden, const std::string& name, const tensor<T>& ours, closeness rule) {
  CAPTURE(name);
  const tensor<float> reference = golden.read<float>(name);
  REQUIRE(ours.size() == reference.size());
  if (reference.extents().rank() > 1) CHECK(ours.extents() == reference.extents());
  CHECK(violation(ours.data(), reference.data(), reference.size(), rule) == "");
}

}  // namespace mor1e::testing
