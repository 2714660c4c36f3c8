#pragma once

#include <array>

#include "mor1e/text/byte_alphabet.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

namespace detail {
struct byte_alphabet {
  std::array<std::string, 256> character_of;
  std::array<int, 0x144> byte_of;  // by character, -1 for one that stands for no byte

  byte_alphabet() {
    byte_of.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      // Neither a space, nor a control, nor the soft hyphen.
      const bool visible = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
      const char32_t character = visible ? static_cast<char32_t>(byte) : next++;
      append_character(character_of[static_cast<std::size_t>(byte)], character);
      byte_of[character] = byte;
    }
  }
};

inline const byte_alphabet& the_byte_alphabet() {
  static const byte_alphabet alphabet;
  return alphabet;
}
}  // namespace detail

MOR1E_INLINE std::string byte_characters(std::string_view text) {
  const auto& alphabet = detail::the_byte_alphabet();
  std::string out;
  out.reserve(text.size() + 2);
  for (const char byte : text) out += alphabet.character_of[static_cast<unsigned char>(byte)];
  return out;
}

MOR1E_INLINE std::optional<std::string> bytes_of(std::string_view characters) {
  const auto& alphabet = detail::the_byte_alphabet();
  std::string out;
  out.reserve(characters.size());
  for (std::size_t at = 0; at < characters.size();) {
    const char32_t character = next_character(characters, at);
    if (character >= alphabet.byte_of.size() || alphabet.byte_of[character] < 0) return std::nullopt;
    out += static_cast<char>(alphabet.byte_of[character]);
  }
  return out;
}

}  // namespace mor1e::texts
