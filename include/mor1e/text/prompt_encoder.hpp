// A prompt and what follows it, as tokens: the one way for training, scoring and generation.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/core/shape.hpp"
#include "mor1e/text/tokenizer.hpp"

namespace mor1e::texts {

/// A prompt and its answer as tokens of one text.
struct continuation {
  std::vector<token_id> prompt;  ///< the tokenizer's beginning tokens first
  std::vector<token_id> answer;
};

/// Encodes what a model is to continue. A model reads prompt and answer as one text, so they are encoded as one: a
/// sentencepiece tokenizer puts a space before a text, and would put one before an answer encoded alone.
///
/// prompt + answer are the tokenizer's beginning tokens and then the tokens of the joined text. The answer begins where
/// these depart from the tokens of the prompt alone: a token that holds the end of the prompt and the beginning of the
/// answer ("a\n" + "\nb" may be "a", "\n\n", "b") is the answer's, and the prompt is shorter by what it replaces.
/// Tokens that the tokenizer puts behind a text are left out, as no text that is to be continued has ended.
class prompt_encoder {
 public:
  /// For a model that knows the tokens below `vocabulary`.
  prompt_encoder(texts::tokenizer tokenizer, index_t vocabulary = std::numeric_limits<token_id>::max())
      : tokenizer_(std::move(tokenizer)), vocabulary_(vocabulary) {}

  /// A prompt alone. Throws `value_error` naming `whose` it is, token, tokenizer and vocabulary for a token that the
  /// model lacks.
  std::vector<token_id> encode(std::string_view prompt, std::string_view whose) const;

  /// `ends` puts the tokenizer's end token behind the answer, if it has one. Throws as above, and `value_error` for an
  /// answer without a token, or a prompt without one before it.
  continuation encode(std::string_view prompt, std::string_view answer, std::string_view whose,
                      bool ends = false) const;

  /// Cuts `count` tokens off the left of a prompt, behind the beginning tokens; false, and nothing done, if no token
  /// would be left.
  bool cut_left(std::vector<token_id>& prompt, index_t count) const;

  const texts::tokenizer& tokenizer() const { return tokenizer_; }

 private:
  std::vector<token_id> with_beginning(std::string_view text) const;
  void check(std::span<const token_id> ids, std::string_view whose) const;

  texts::tokenizer tokenizer_;
  index_t vocabulary_;
};

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/prompt_encoder.ipp"
#endif
