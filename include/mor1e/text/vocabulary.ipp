#pragma once

#include "mor1e/core/error.hpp"
#include "mor1e/text/vocabulary.hpp"

namespace mor1e::texts {

MOR1E_INLINE vocabulary::vocabulary(const std::vector<std::string>& tokens) {
  ids_.reserve(tokens.size());
  tokens_.reserve(tokens.size());
  for (const std::string& token : tokens) add(token, static_cast<token_id>(tokens_.size()));
}

MOR1E_INLINE void vocabulary::add(std::string_view token, token_id id) {
  require<value_error>(id >= 0, "vocabulary: token '", token, "' has the negative id ", id);
  const auto slot = static_cast<std::size_t>(id);
  if (slot >= tokens_.size()) tokens_.resize(slot + 1);
  tokens_[slot] = ids_.insert_or_assign(std::string(token), id).first->first;
}

MOR1E_INLINE std::optional<token_id> vocabulary::id_of(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

MOR1E_INLINE std::optional<std::string_view> vocabulary::token(token_id id) const {
  const auto slot = static_cast<std::size_t>(id);  // a negative id is beyond any size
  if (slot >= tokens_.size() || !tokens_[slot].data()) return std::nullopt;
  return tokens_[slot];
}

}  // namespace mor1e::texts
