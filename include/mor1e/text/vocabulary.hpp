// Tokens and their numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mor1e/core/config.hpp"

namespace mor1e::texts {

using token_id = std::int32_t;

namespace detail {
/// Lets a map with string keys be searched by string_view, without building a string.
struct string_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
}  // namespace detail

template <class Value>
using string_map = std::unordered_map<std::string, Value, detail::string_hash, std::equal_to<>>;

/// A two-way table of tokens and ids; ids may have holes. Movable, not copyable.
class vocabulary {
 public:
  vocabulary() = default;
  /// Token i is `tokens[i]`.
  explicit vocabulary(const std::vector<std::string>& tokens);
  vocabulary(vocabulary&&) = default;
  vocabulary& operator=(vocabulary&&) = default;

  /// Adds a token; a later one takes an id or a text over from an earlier one. Throws `value_error` for a negative id.
  void add(std::string_view token, token_id id);

  std::optional<token_id> id_of(std::string_view token) const;
  /// The token of an id, or nothing where the table has a hole or ends.
  std::optional<std::string_view> token(token_id id) const;
  /// The largest id plus one.
  std::size_t size() const { return tokens_.size(); }

 private:
  string_map<token_id> ids_;
  std::vector<std::string_view> tokens_;  // into the keys of ids_, which never move; a hole has no data
};

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/vocabulary.ipp"
#endif
