// Regular expressions as tokenizer files write them, matched by PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"

namespace mor1e::texts {

/// A range of bytes [begin, end) of a text.
struct byte_range {
  std::size_t begin;
  std::size_t end;
};

/// The pattern GPT-2 splits text with: contractions, words, numbers, symbols, white space.
inline constexpr std::string_view gpt2_split =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// A compiled pattern. Tokenizer files use the dialect of Oniguruma, so the pattern is translated first: a class in a
/// class is a union, `\s` is the property White_Space, `\w` includes marks, `^` and `$` stand at lines.
class regex {
 public:
  /// Throws `value_error` for a pattern that does not compile or uses what has no translation.
  explicit regex(std::string_view pattern);

  /// All matches from left to right, empty ones left out. `text` must be well-formed UTF-8. Safe to call concurrently.
  std::vector<byte_range> matches(std::string_view text) const;

 private:
  std::shared_ptr<const void> code_;  // a pcre2_code
};

/// The pattern in the dialect of PCRE2; see `regex`.
std::string translated_from_oniguruma(std::string_view pattern);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/regex.ipp"
#endif
