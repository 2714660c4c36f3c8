// Tokens that are found in text as they stand, before a model sees it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "mor1e/text/regex.hpp"
#include "mor1e/text/vocabulary.hpp"

namespace mor1e::texts {

struct added_token {
  std::string content;
  token_id id = 0;
  bool special = false;      ///< left out when decoding without special tokens
  bool normalized = false;   ///< looked for after normalization, in its own normalized form
  bool single_word = false;  ///< not beside a word character
  bool left_strip = false;   ///< takes the white space before it along
  bool right_strip = false;  ///< takes the white space behind it along
};

/// Finds tokens in a text: from left to right, at each place the longest.
class token_finder {
 public:
  /// A stretch of text; `id` if it is a token.
  struct segment {
    byte_range where;
    std::optional<token_id> id;
  };

  void add(std::string_view content, const added_token& token);
  /// The text, which is not empty, cut at the tokens in it; no segment without an id is empty.
  std::vector<segment> cut(std::string_view text) const;

 private:
  std::optional<byte_range> widened(byte_range match, const added_token& token, std::string_view text,
                                    std::size_t taken) const;

  std::vector<added_token> tokens_;
  // A trie of bytes: the child of node n by byte b is children_[n * 256 + b]; node 0 is the root.
  std::unordered_map<std::uint64_t, std::uint32_t> children_;
  std::vector<int> token_of_node_ = {-1};
  std::array<bool, 256> starts_token_{};
};

/// The added tokens of a tokenizer.
class added_tokens {
 public:
  added_tokens() = default;
  /// `normalize` may be empty. Throws `value_error` for an empty token or a negative id.
  added_tokens(const std::vector<added_token>& tokens, const std::function<std::string(std::string)>& normalize);

  const token_finder& raw() const { return raw_; }
  const token_finder& in_normalized() const { return normalized_; }
  const vocabulary& tokens() const { return tokens_; }
  bool is_special(token_id id) const { return special_.contains(id); }

 private:
  token_finder raw_, normalized_;
  vocabulary tokens_;
  std::unordered_set<token_id> special_;
};

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/added_tokens.ipp"
#endif
