// Properties and normal forms of Unicode characters, as far as tokenizers ask for them.
#pragma once

#include <string>
#include <string_view>

#include "mor1e/core/config.hpp"

namespace mor1e::texts {

/// The property White_Space.
bool is_white_space(char32_t character);
/// General category N: digits, letter numbers such as Roman ones, and other numbers such as fractions.
bool is_number(char32_t character);
/// General category P, and the ASCII symbols such as `$` and `+` that the language calls punctuation.
bool is_punctuation(char32_t character);
/// Categories Cc, Cf, Co, Cs: what has no glyph of its own.
bool is_control(char32_t character);
/// General category Mn: accents.
bool is_nonspacing_mark(char32_t character);
/// General category M.
bool is_mark(char32_t character);
/// What a regular expression's \w matches: letters, marks, decimal digits, letter numbers, connectors.
bool is_word_character(char32_t character);

/// Every character in lower case by itself (a final sigma is not treated apart).
std::string lower_case(std::string_view text);

enum class normal_form { nfc, nfd, nfkc, nfkd };

/// `text`, well-formed UTF-8, in a Unicode normal form.
std::string normalized(std::string_view text, normal_form form);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/unicode.ipp"
#endif
