#pragma once

#include "mor1e/core/error.hpp"
#include "mor1e/text/utf8.hpp"
#include "mor1e/text/word_piece.hpp"

namespace mor1e::texts {

MOR1E_INLINE word_piece::word_piece(vocabulary tokens, word_piece_options options)
    : word_model(std::move(tokens)), options_(std::move(options)) {
  const auto unknown = this->tokens().id_of(options_.unknown_token);
  require<value_error>(unknown.has_value(), "WordPiece: the vocabulary lacks the unknown token '",
                       options_.unknown_token, "'");
  unknown_ = *unknown;
}

MOR1E_INLINE void word_piece::encode(std::string_view word, std::vector<token_id>& ids) const {
  std::vector<std::size_t> ends;  // of the characters, in bytes
  for (std::size_t at = 0; at < word.size(); ends.push_back(at)) next_character(word, at);
  const std::size_t begin = ids.size();
  const auto give_up = [&] {
    ids.resize(begin);
    ids.push_back(unknown_);
  };
  if (ends.size() > options_.longest_word) return give_up();

  std::string piece;
  std::size_t start = 0;
  for (std::size_t first = 0; first < ends.size();) {
    piece = start == 0 ? "" : options_.continuation;
    const std::size_t head = piece.size();
    piece += word.substr(start);
    std::size_t last = ends.size();
    std::optional<token_id> id;
    for (; last > first && !id; --last) {
      piece.resize(head + ends[last - 1] - start);
      id = tokens().id_of(piece);
    }
    if (!id) return give_up();
    ids.push_back(*id);
    first = last + 1;
    start = ends[last];
  }
}

}  // namespace mor1e::texts
