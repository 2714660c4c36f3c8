// WordPiece: the longest known piece first, from left to right.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/text/word_model.hpp"

namespace mor1e::texts {

struct word_piece_options {
  std::string unknown_token = "[UNK]";
  /// What a piece that does not begin its word starts with.
  std::string continuation = "##";
  /// A word of more characters is unknown.
  std::size_t longest_word = 100;
};

/// The model of BERT. A word with a part that no piece covers is one unknown token as a whole.
class word_piece final : public word_model {
 public:
  /// Throws `value_error` if the vocabulary lacks the unknown token.
  word_piece(vocabulary tokens, word_piece_options options);

  void encode(std::string_view word, std::vector<token_id>& ids) const override;

 private:
  word_piece_options options_;
  token_id unknown_;
};

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/word_piece.ipp"
#endif
