#pragma once

#include <algorithm>

#include "mor1e/core/error.hpp"
#include "mor1e/text/added_tokens.hpp"
#include "mor1e/text/unicode.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

namespace detail {

/// Where the character that ends at `end` > 0 begins.
inline std::size_t previous_character(std::string_view text, std::size_t end) {
  do --end;
  while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

inline char32_t character_at(std::string_view text, std::size_t at) { return next_character(text, at); }

}  // namespace detail

MOR1E_INLINE void token_finder::add(std::string_view content, const added_token& token) {
  starts_token_[static_cast<unsigned char>(content.front())] = true;
  std::uint32_t node = 0;
  for (const char byte : content) {
    const auto next = static_cast<std::uint32_t>(token_of_node_.size());
    const auto [child, is_new] =
        children_.try_emplace(std::uint64_t(node) * 256 + static_cast<unsigned char>(byte), next);
    if (is_new) token_of_node_.push_back(-1);
    node = child->second;
  }
  token_of_node_[node] = static_cast<int>(tokens_.size());
  tokens_.push_back(token);
}

MOR1E_INLINE std::vector<token_finder::segment> token_finder::cut(std::string_view text) const {
  std::vector<segment> segments;
  std::size_t taken = 0;  // everything before is in `segments`
  for (std::size_t at = 0; at < text.size();) {
    if (!starts_token_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    int token = -1;
    std::size_t end = at;
    std::uint32_t node = 0;
    for (std::size_t i = at; i < text.size(); ++i) {
      const auto child = children_.find(std::uint64_t(node) * 256 + static_cast<unsigned char>(text[i]));
      if (child == children_.end()) break;
      node = child->second;
      if (token_of_node_[node] < 0) continue;
      token = token_of_node_[node];
      end = i + 1;
    }
    if (token < 0) {
      ++at;
      continue;
    }
    const added_token& found = tokens_[static_cast<std::size_t>(token)];
    if (const auto where = widened({at, end}, found, text, taken)) {
      if (where->begin > taken) segments.push_back({{taken, where->begin}, std::nullopt});
      segments.push_back({*where, found.id});
      taken = end = where->end;
    }
    at = end;  // what a token in the middle of a word covers is not searched again
  }
  if (taken < text.size()) segments.push_back({{taken, text.size()}, std::nullopt});
  return segments;
}

MOR1E_INLINE std::optional<byte_range> token_finder::widened(byte_range match, const added_token& token,
                                                             std::string_view text, std::size_t taken) const {
  using detail::character_at, detail::previous_character;
  auto [begin, end] = match;
  if (token.single_word) {
    if (begin > 0 && is_word_character(character_at(text, previous_character(text, begin)))) return std::nullopt;
    if (end < text.size() && is_word_character(character_at(text, end))) return std::nullopt;
  }
  if (token.left_strip) {
    while (begin > taken && is_white_space(character_at(text, previous_character(text, begin))))
      begin = previous_character(text, begin);
  }
  if (token.right_strip) {
    for (std::size_t next = end; next < text.size(); end = next)
      if (!is_white_space(next_character(text, next))) break;
  }
  return byte_range{begin, end};
}

MOR1E_INLINE added_tokens::added_tokens(const std::vector<added_token>& tokens,
                                        const std::function<std::string(std::string)>& normalize) {
  for (const added_token& token : tokens) {
    require<value_error>(!token.content.empty(), "added tokens: token ", token.id, " is empty");
    tokens_.add(token.content, token.id);
    if (token.special) special_.insert(token.id);
    const std::string content = token.normalized && normalize ? normalize(token.content) : token.content;
    if (!content.empty()) (token.normalized ? normalized_ : raw_).add(content, token);
  }
}

}  // namespace mor1e::texts
