// Tokenizers: text to ids and back.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/text/added_tokens.hpp"
#include "mor1e/text/decoder.hpp"
#include "mor1e/text/normalizer.hpp"
#include "mor1e/text/post_processor.hpp"
#include "mor1e/text/pre_tokenizer.hpp"
#include "mor1e/text/word_model.hpp"

namespace mor1e::texts {

/// What a tokenizer is made of, in the order in which text passes through: added tokens are cut out, the rest is
/// normalized, normalized added tokens are cut out, the rest is pre-tokenized into words, and the model encodes these.
struct tokenizer_parts {
  normalizer normalize;
  pre_tokenizer pre_tokenize;
  std::unique_ptr<const word_model> model;
  added_tokens added;
  post_processor post;
  decoder decode;
  std::optional<token_id> bos;
  std::optional<token_id> eos;
  std::string origin = "the tokenizer";  ///< the file it was read from, named in errors
};

/// A tokenizer. Cheap to copy, immutable, safe to use from several threads.
class tokenizer {
 public:
  static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

  explicit tokenizer(tokenizer_parts parts);

  /// The ids of a text. Ill-formed UTF-8 is read as U+FFFD. `add_special_tokens` puts the tokenizer's own tokens around
  /// (those written in the text count always). A longer result is cut at the end of the text to `max_length` ids with
  /// the special tokens kept; throws `value_error` if these alone are more.
  std::vector<token_id> encode(std::string_view text, bool add_special_tokens = true,
                               std::size_t max_length = unlimited) const;

  /// The text of ids, well-formed UTF-8. Ids that name no token are left out, as models have more rows than tokens.
  std::string decode(std::span<const token_id> ids, bool skip_special = false) const;

  /// The largest id plus one, added tokens included.
  std::size_t vocabulary_size() const;
  std::optional<token_id> id_of(std::string_view token) const;
  /// The token as the vocabulary spells it. Throws `value_error` for an id that names none.
  std::string_view token(token_id id) const;
  bool is_special(token_id id) const { return parts_->added.is_special(id); }

  std::optional<token_id> bos() const { return parts_->bos; }
  std::optional<token_id> eos() const { return parts_->eos; }
  /// What `encode` puts before a text.
  std::span<const token_id> beginning() const { return parts_->post.before; }
  /// The file it was read from.
  const std::string& origin() const { return parts_->origin; }

 private:
  void encode_normalized(std::string_view text, bool at_start, std::vector<token_id>& ids) const;
  std::optional<std::string_view> find_token(token_id id) const;

  std::shared_ptr<const tokenizer_parts> parts_;
};

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/tokenizer.ipp"
#endif
