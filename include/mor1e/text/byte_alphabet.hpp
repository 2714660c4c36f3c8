// The alphabet of byte-level tokenizers: 256 visible characters, one for each byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "mor1e/core/config.hpp"

namespace mor1e::texts {

/// Every byte of `text` as the character that stands for it: a byte that is a visible Latin-1 character is itself, the
/// others, in order, are U+0100, U+0101, ... (a space is U+0120).
std::string byte_characters(std::string_view text);

/// The bytes that the characters stand for; nothing if one of them is not of the alphabet.
std::optional<std::string> bytes_of(std::string_view characters);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/byte_alphabet.ipp"
#endif
