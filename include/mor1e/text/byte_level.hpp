// Byte-level BPE as models carry it: a vocabulary, merges and special tokens, written as Hugging Face's files.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/text/tokenizer.hpp"

namespace mor1e::texts {

/// A byte-level BPE and what its model does with texts.
struct byte_level_tokenizer {
  std::vector<std::string> tokens;  ///< token i, in the alphabet of bytes
  std::vector<std::pair<std::string, std::string>> merges;
  std::vector<added_token> added;     ///< of these tokens
  bool words = true;                  ///< cut into words by GPT-2's pattern first
  bool digits_alone = false;          ///< every numeral is cut off before that
  bool begins = false, ends = false;  ///< whether `bos` and `eos` are put around a text
  std::optional<token_id> bos, eos, unknown, padding;
  std::optional<std::int64_t> context;  ///< tokens the model can read
  std::string chat_template;            ///< Jinja; empty: none
};

/// The tokenizer.json of it.
nlohmann::json tokenizer_json_of(const byte_level_tokenizer& from);

/// The files of a Hugging Face folder that say how texts are read and ended, by name: tokenizer.json,
/// tokenizer_config.json, generation_config.json. What is in them must be UTF-8.
std::map<std::string, std::string> files_of(const byte_level_tokenizer& from);

/// The parts that this tokenizer.json describes, so that both are one tokenizer. Throws `io_error` beginning with
/// `where`.
tokenizer_parts parts_of(const byte_level_tokenizer& from, const std::string& where);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/byte_level.ipp"
#endif
