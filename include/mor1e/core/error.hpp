// Errors of the framework: one hierarchy, one line of text each.
#pragma once

#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

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

namespace detail {

// A part of a message behind its `operator<<`: messages are many and rare, so they are joined in one place, not once
// for each combination of types.
struct message_part {
  template <class T>
  message_part(const T& part)
      : part(&part), write([](std::ostream& out, const void* p) { out << *static_cast<const T*>(p); }) {}
  message_part(const char* part)
      : part(part), write([](std::ostream& out, const void* p) { out << static_cast<const char*>(p); }) {}

  const void* part;
  void (*write)(std::ostream&, const void*);
};

[[gnu::noinline]] inline std::string joined(std::initializer_list<message_part> parts) {
  std::ostringstream out;
  for (const auto& [part, write] : parts) write(out, part);
  return out.str();
}

template <class Error>
[[noreturn, gnu::noinline, gnu::cold]] void fail(std::initializer_list<message_part> parts) {
  throw Error(joined(parts));
}

}  // namespace detail

/// Joins its arguments as text, the way every message is built: `text("layer ", 3, ": ", why)`.
template <class... Parts>
std::string text(const Parts&... parts) {
  return detail::joined({detail::message_part(parts)...});
}

/// One line of printable text of at most `most` bytes: control characters as \xNN, a long one cut at a character of
/// UTF-8 and ended by "...".
inline std::string one_line(std::string_view text, std::size_t most) {
  std::string out;
  std::size_t whole = 0;  // up to where it may be cut and still be ended
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool inside = (byte & 0xC0) == 0x80;  // of a character
    if (!inside && out.size() + 3 <= most) whole = out.size();
    if (byte < 0x20 || byte == 0x7F)
      (((out += "\\x") += "0123456789abcdef"[byte >> 4]) += "0123456789abcdef"[byte & 15]);
    else
      out += text[i];
    if (out.size() > most) return out.substr(0, whole) + "...";
  }
  return out;
}

/// What somebody wrote, as a message shows it: 'in one line', shortened.
inline std::string in_quotes(std::string_view written, std::size_t most = 80) {
  return text('\'', one_line(written, most), '\'');
}

/// Throws `Error` with the joined parts unless `holds`.
template <class Error, class... Parts>
void require(bool holds, const Parts&... parts) {
  if (!holds) [[unlikely]]
    detail::fail<Error>({detail::message_part(parts)...});
}

}  // namespace mor1e
