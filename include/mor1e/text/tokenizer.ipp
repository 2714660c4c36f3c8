#pragma once

#include <algorithm>
#include <utility>

#include "mor1e/core/error.hpp"
#include "mor1e/text/tokenizer.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

MOR1E_INLINE tokenizer::tokenizer(tokenizer_parts parts)
    : parts_(std::make_shared<const tokenizer_parts>(std::move(parts))) {}

MOR1E_INLINE std::vector<token_id> tokenizer::encode(std::string_view text, bool add_special_tokens,
                                                     std::size_t max_length) const {
  const std::size_t around = add_special_tokens ? parts_->post.size() : 0;
  require<value_error>(around <= max_length, "encode: the maximal length ", max_length, " has no room for ", around,
                       " special tokens");
  if (!is_well_formed(text)) return encode(repaired(text), add_special_tokens, max_length);

  std::vector<token_id> ids;
  if (add_special_tokens) ids = parts_->post.before;
  for (const auto& [where, id] : parts_->added.raw().cut(text)) {
    if (id) {
      ids.push_back(*id);
      continue;
    }
    const std::string_view part = text.substr(where.begin, where.end - where.begin);
    if (parts_->normalize)
      encode_normalized(parts_->normalize(std::string(part)), where.begin == 0, ids);
    else
      encode_normalized(part, where.begin == 0, ids);
  }
  const std::size_t behind = add_special_tokens ? parts_->post.behind.size() : 0;
  if (ids.size() > max_length - behind) ids.resize(max_length - behind);
  if (add_special_tokens) ids.insert(ids.end(), parts_->post.behind.begin(), parts_->post.behind.end());
  return ids;
}

MOR1E_INLINE void tokenizer::encode_normalized(std::string_view text, bool at_start, std::vector<token_id>& ids) const {
  for (const auto& [where, id] : parts_->added.in_normalized().cut(text)) {
    if (id) {
      ids.push_back(*id);
      continue;
    }
    std::vector<piece> pieces;
    pieces.push_back({std::string(text.substr(where.begin, where.end - where.begin)), at_start && where.begin == 0});
    if (parts_->pre_tokenize) parts_->pre_tokenize(pieces);
    for (const piece& word : pieces) parts_->model->encode(word.text, ids);
  }
}

MOR1E_INLINE std::string tokenizer::decode(std::span<const token_id> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const token_id id : ids) {
    if (skip_special && is_special(id)) continue;
    if (const auto token = find_token(id)) tokens.emplace_back(*token);
  }
  const std::string_view separator = parts_->decode ? "" : " ";
  if (parts_->decode) tokens = parts_->decode(std::move(tokens));
  std::string text;
  for (const std::string& token : tokens) {
    if (&token != &tokens.front()) text += separator;
    text += token;
  }
  return text;
}

MOR1E_INLINE std::size_t tokenizer::vocabulary_size() const {
  return std::max(parts_->model->tokens().size(), parts_->added.tokens().size());
}

MOR1E_INLINE std::optional<token_id> tokenizer::id_of(std::string_view token) const {
  const auto added = parts_->added.tokens().id_of(token);
  return added ? added : parts_->model->tokens().id_of(token);
}

MOR1E_INLINE std::string_view tokenizer::token(token_id id) const {
  const auto found = find_token(id);
  require<value_error>(found.has_value(), "tokenizer: no token has the id ", id, " (vocabulary of ", vocabulary_size(),
                       ")");
  return *found;
}

MOR1E_INLINE std::optional<std::string_view> tokenizer::find_token(token_id id) const {
  const auto added = parts_->added.tokens().token(id);
  return added ? added : parts_->model->tokens().token(id);
}

}  // namespace mor1e::texts
