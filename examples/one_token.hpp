// Which words the generated suite may use with a tokenizer.
#pragma once

#include <string_view>

#include "mor1e/text/tokenizer.hpp"

namespace mor1e::program {

/// Whether " word" is one token. Of bytes no word is, so there any will do.
inline auto one_token(const texts::tokenizer& tokenizer) {
  const bool bytes = tokenizer.vocabulary_size() < 1000;
  return [bytes, &tokenizer](std::string_view word) {
    return bytes || tokenizer.encode(text(" ", word), false).size() == 1;
  };
}

}  // namespace mor1e::program
