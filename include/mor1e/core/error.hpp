// Errors of the framework: one hierarchy, one line of text each.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace mor1e {

/// Base of every exception the framework throws. `what()` is one line: where, the rule broken, the numbers that differ.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Shapes that do not fit an operation.
struct shape_error : error {
  using error::error;
};

/// An argument or an option outside its domain.
struct value_error : error {
  using error::error;
};

/// A file that is missing, truncated, malformed, or not writable.
struct io_error : error {
  using error::error;
};

/// A failed call of the CUDA runtime or of cuBLAS.
struct cuda_error : error {
  using error::error;
};

/// Joins its arguments as text, the way every message is built: `text("layer ", 3, ": ", why)`.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws `Error` with the joined parts unless `holds`.
template <class Error, class... Parts>
void require(bool holds, const Parts&... parts) {
  if (!holds) throw Error(text(parts...));
}

}  // namespace mor1e
