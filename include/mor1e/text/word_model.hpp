// What every tokenizer model does.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "mor1e/text/vocabulary.hpp"

namespace mor1e::texts {

/// Cuts one pre-tokenized word into tokens of its vocabulary.
class word_model {
 public:
  explicit word_model(vocabulary tokens) : tokens_(std::move(tokens)) {}
  virtual ~word_model() = default;

  /// Appends the ids of a word, well-formed UTF-8. Safe to call concurrently.
  virtual void encode(std::string_view word, std::vector<token_id>& ids) const = 0;

  const vocabulary& tokens() const { return tokens_; }

 private:
  vocabulary tokens_;
};

}  // namespace mor1e::texts
