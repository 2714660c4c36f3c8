// The device of the benchmarks: `--backend=cpu|cuda`, `--threads=N` and `--products=fp32|tf32|bf16|int8` on the command
// line.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "mor1e/backend/with_device.hpp"

namespace mor1e::bench {

/// The number that a text is. Throws `value_error` unless it is whole and at least `least`.
inline index_t whole(std::string_view number, index_t least = 1) {
  index_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  require<value_error>(error == std::errc() && end == number.data() + number.size() && value >= least, "'", number,
                       "' is not a whole number from ", least);
  return value;
}

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
        take("--threads=", [&](const std::string& v) { out.threads = int(whole(v, 0)); }))
      continue;
    argv[kept++] = argv[i];
  }
  argv[argc = kept] = nullptr;
  return out;
}

}  // namespace mor1e::bench
