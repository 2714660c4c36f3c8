#pragma once

#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

MOR1E_INLINE utf8_sequence sequence_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates, and what lies above U+10FFFF.
  const unsigned char lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < length; ++i) {
    const bool second = i == 1;
    if (at + i >= text.size() || byte(at + i) < (second ? lowest : 0x80) || byte(at + i) > (second ? highest : 0xBF))
      return {i, false};
  }
  return {length, true};
}

MOR1E_INLINE char32_t next_character(std::string_view text, std::size_t& at) {
  const auto payload = [&] { return static_cast<unsigned char>(text[at++]) & 0x3Fu; };
  const unsigned char lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  char32_t character = lead < 0xE0 ? lead & 0x1Fu : lead < 0xF0 ? lead & 0x0Fu : lead & 0x07u;
  for (int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3; more > 0; --more) character = character << 6 | payload();
  return character;
}

MOR1E_INLINE void append_character(std::string& text, char32_t character) {
  const auto continuation = [&](int shift) { text += static_cast<char>(0x80 | (character >> shift & 0x3F)); };
  if (character < 0x80) {
    text += static_cast<char>(character);
  } else if (character < 0x800) {
    text += static_cast<char>(0xC0 | character >> 6);
    continuation(0);
  } else if (character < 0x10000) {
    text += static_cast<char>(0xE0 | character >> 12);
    continuation(6);
    continuation(0);
  } else {
    text += static_cast<char>(0xF0 | character >> 18);
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

MOR1E_INLINE bool is_well_formed(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const utf8_sequence sequence = sequence_at(text, at);
    if (!sequence.well_formed) return false;
    at += sequence.length;
  }
  return true;
}

MOR1E_INLINE std::string repaired(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const utf8_sequence sequence = sequence_at(text, at);
    out += sequence.well_formed ? text.substr(at, sequence.length) : replacement_character;
    at += sequence.length;
  }
  return out;
}

}  // namespace mor1e::texts
