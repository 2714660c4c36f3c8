// The device of the benchmarks: `--backend=cpu|cuda`, `--threads=N` and `--products=fp32|tf32|bf16` on the command
// line.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "mor1e/backend/with_device.hpp"

namespace mor1e::bench {

/// Takes the options of the device out of the arguments; Google Benchmark's and others stay.
inline device_options take_device_options(int& argc, char** argv) {
  device_options out;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view given = argv[i];
    const auto take = [&](std::string_view name, auto assign) {
      if (!given.starts_with(name)) return false;
      assign(std::string(given.substr(name.size())));
      return true;
    };
    if (take("--backend=", [&](std::string v) { out.backend = std::move(v); }) ||
        take("--products=", [&](std::string v) { out.products = std::move(v); }) ||
        take("--threads=", [&](const std::string& v) { out.threads = std::max(0, std::atoi(v.c_str())); }))
      continue;
    argv[kept++] = argv[i];
  }
  argv[argc = kept] = nullptr;
  return out;
}

}  // namespace mor1e::bench
