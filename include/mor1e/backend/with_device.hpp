// The one place where a program picks its back end.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e {

struct device_options {
  std::string backend = "cpu";
  int threads = 0;  ///< of the host; 0: one for each processor
};

/// What is wrong with a back end's name in this build; empty if nothing is.
inline std::string check_backend(std::string_view name) {
  if (name == "cpu") return {};
  return name == "cuda" ? "this build has no CUDA back end" : text("'", name, "' is neither cpu nor cuda");
}

/// f(device) with the device that the options name: f is compiled for each back end of the build. Returns what f does.
/// Throws `value_error` for a back end that there is not.
template <class F>
decltype(auto) with_device(const device_options& options, F&& f) {
  const std::string problem = check_backend(options.backend);
  require<value_error>(problem.empty(), "--backend: ", problem);
  cpu device(options.threads);
  return std::forward<F>(f)(device);
}

}  // namespace mor1e
