#pragma once

#include <optional>
#include <utility>

#include "mor1e/text/byte_alphabet.hpp"
#include "mor1e/text/decoder.hpp"
#include "mor1e/text/normalizer.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

namespace detail {

inline std::string without_english_spaces(std::string token) {
  static constexpr std::pair<std::string_view, std::string_view> rules[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
      {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [what, with] : rules) token = replaced(token, what, with);
  return token;
}

/// The byte that `<0xAB>` names.
inline std::optional<char> byte_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<char>(value);
}

}  // namespace detail

MOR1E_INLINE decoder byte_level_decoder() {
  return [](std::vector<std::string> tokens) {
    std::string bytes;
    // A token with another character, which only an added one can have, stands for itself.
    for (const std::string& token : tokens) bytes += bytes_of(token).value_or(token);
    return std::vector<std::string>{repaired(bytes)};
  };
}

MOR1E_INLINE decoder word_piece_decoder(std::string continuation, bool clean_up) {
  return [continuation = std::move(continuation), clean_up](std::vector<std::string> tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      std::string& token = tokens[i];
      if (i > 0 && token.starts_with(continuation))
        token.erase(0, continuation.size());
      else if (i > 0)
        token.insert(0, 1, ' ');
      if (clean_up) token = detail::without_english_spaces(std::move(token));
    }
    return tokens;
  };
}

MOR1E_INLINE decoder byte_fallback_decoder() {
  return [](std::vector<std::string> tokens) {
    std::vector<std::string> out;
    std::string bytes;
    const auto flush = [&] {
      if (is_well_formed(bytes))
        out.push_back(bytes);
      else
        for (std::size_t i = 0; i < bytes.size(); ++i) out.emplace_back(replacement_character);
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const auto byte = detail::byte_token(token)) {
        bytes += *byte;
        continue;
      }
      if (!bytes.empty()) flush();
      out.push_back(std::move(token));
    }
    if (!bytes.empty()) flush();
    return out;
  };
}

MOR1E_INLINE decoder replace_decoder(std::string what, std::string with) {
  return [what = std::move(what), with = std::move(with)](std::vector<std::string> tokens) {
    for (std::string& token : tokens) token = replaced(token, what, with);
    return tokens;
  };
}

MOR1E_INLINE decoder fuse_decoder() {
  return [](std::vector<std::string> tokens) {
    std::string joined;
    for (const std::string& token : tokens) joined += token;
    return std::vector<std::string>{std::move(joined)};
  };
}

MOR1E_INLINE decoder strip_decoder(std::string what, std::size_t left, std::size_t right) {
  return [what = std::move(what), left, right](std::vector<std::string> tokens) {
    for (std::string& token : tokens) {
      for (std::size_t i = 0; i < left && token.starts_with(what); ++i) token.erase(0, what.size());
      for (std::size_t i = 0; i < right && token.ends_with(what); ++i) token.resize(token.size() - what.size());
    }
    return tokens;
  };
}

MOR1E_INLINE decoder metaspace_decoder(std::string replacement, bool drop_first) {
  return [replacement = std::move(replacement), drop_first](std::vector<std::string> tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = replaced(tokens[i], replacement, i == 0 && drop_first ? "" : " ");
    return tokens;
  };
}

MOR1E_INLINE decoder decoder_sequence(std::vector<decoder> steps) {
  return [steps = std::move(steps)](std::vector<std::string> tokens) {
    for (const decoder& step : steps) tokens = step(std::move(tokens));
    return tokens;
  };
}

}  // namespace mor1e::texts
