// BPE as models carry it: a vocabulary, merges and special tokens, written as Hugging Face's files.
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

/// A BPE and what its model does with texts.
struct bpe_description {
  /// What tokens are written in.
  enum class alphabet {
    bytes,           ///< GPT-2's: a character for each byte
    sentence_piece,  ///< characters, with \u2581 for a space; a character that is no token is its bytes, "<0x0A>"
  };
  alphabet letters = alphabet::bytes;
  std::vector<std::string> tokens;
  std::vector<std::pair<std::string, std::string>> merges;
  std::vector<added_token> added;     ///< of these tokens
  bool words = true;                  ///< bytes: cut into words by GPT-2's pattern first
  bool digits_alone = false;          ///< bytes: every numeral is cut off before that
  std::string cut;                    ///< bytes: cut at what matches this expression before all else; empty: nowhere
  bool space_before = true;           ///< sentence_piece: a text begins with a space
  bool begins = false, ends = false;  ///< whether `bos` and `eos` are put around a text
  std::optional<token_id> bos, eos, unknown, padding;
  std::optional<std::int64_t> context;  ///< tokens the model can read
  std::string chat_template;            ///< Jinja; empty: none
};

/// The merges of a SentencePiece vocabulary with a finite score for each token: every way to cut a token into two
/// tokens, the highest score of the whole first; of equal ones the lower token, then the lower halves.
std::vector<std::pair<std::string, std::string>> merges_by_score(const std::vector<std::string>& tokens,
                                                                 const std::vector<double>& scores);

/// The tokenizer.json of it.
nlohmann::json tokenizer_json_of(const bpe_description& from);

/// The files of a Hugging Face folder that say how texts are read and ended, by name: tokenizer.json,
/// tokenizer_config.json, generation_config.json. What is in them must be UTF-8.
std::map<std::string, std::string> files_of(const bpe_description& from);

/// The parts that this tokenizer.json describes, so that both are one tokenizer. Throws `io_error` beginning with
/// `where`.
tokenizer_parts parts_of(const bpe_description& from, const std::string& where);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/bpe_description.ipp"
#endif
