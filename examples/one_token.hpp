// Which words the generated suite may use with a tokenizer.
#pragma once

#include <string_view>

#include "mor1e/text/prompt_encoder.hpp"

namespace mor1e::program {

/// Whether " word" is one token behind a prompt. Of bytes no word is, so there any will do.
inline auto one_token(const texts::tokenizer& tokenizer) {
  const bool bytes = tokenizer.vocabulary_size() < 1000;
  return [bytes, &tokenizer](std::string_view word) {
    return bytes || texts::prompt_encoder(tokenizer).encode("Answer:", text(" ", word), word).answer.size() == 1;
  };
}

}  // namespace mor1e::program
