// UTF-8: walking over characters, building them, and repairing text that is not UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mor1e/core/config.hpp"

namespace mor1e::texts {

/// U+FFFD in UTF-8: what an ill-formed sequence is replaced by.
inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

/// What stands at a byte offset: a character of `length` bytes, or `length` bytes that form none.
struct utf8_sequence {
  std::size_t length;
  bool well_formed;
};

/// Examines the bytes at `at` < text.size(). An ill-formed sequence is as long as the Unicode standard's "maximal
/// subpart": the longest start of a character, or else one byte.
utf8_sequence sequence_at(std::string_view text, std::size_t at);

/// The character at `at`, which moves behind it. `text` must be well-formed.
char32_t next_character(std::string_view text, std::size_t& at);

void append_character(std::string& text, char32_t character);

bool is_well_formed(std::string_view text);

/// `text` with every ill-formed sequence replaced by U+FFFD.
std::string repaired(std::string_view text);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/utf8.ipp"
#endif
