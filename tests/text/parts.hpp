// Small tokenizers made by hand.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/text/bpe.hpp"
#include "mor1e/text/byte_alphabet.hpp"
#include "mor1e/text/tokenizer.hpp"

namespace mor1e::testing {

using ids = std::vector<texts::token_id>;
using merge_list = std::vector<std::pair<std::string, std::string>>;

inline ids encoded(const texts::word_model& model, std::string_view word) {
  ids out;
  model.encode(word, out);
  return out;
}

/// A byte-level tokenizer without merges: id b is byte b. 256 is the special token `<end>`.
inline texts::tokenizer byte_tokenizer() {
  texts::vocabulary tokens;
  for (int byte = 0; byte < 256; ++byte)
    tokens.add(texts::byte_characters(std::string(1, static_cast<char>(byte))), byte);
  texts::tokenizer_parts parts;
  parts.model = std::make_unique<texts::bpe>(std::move(tokens), merge_list{});
  parts.pre_tokenize = texts::byte_level_pre_tokenizer(false, true);
  parts.decode = texts::byte_level_decoder();
  parts.added = texts::added_tokens({{.content = "<end>", .id = 256, .special = true}}, nullptr);
  return texts::tokenizer(std::move(parts));
}

}  // namespace mor1e::testing
