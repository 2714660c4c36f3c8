// Byte-pair encoding.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mor1e/text/word_model.hpp"

namespace mor1e::texts {

struct bpe_options {
  /// Stands for characters that are no tokens; without one they are left out.
  std::string unknown_token = {};
  /// A run of unknown characters gives one unknown token instead of one each.
  bool fuse_unknown = false;
  /// A character that is no token becomes the tokens `<0x00>` ... `<0xFF>` of its bytes, where these exist.
  bool byte_fallback = false;
  /// A word that is a token is taken as it is, even if the merges do not lead there.
  bool ignore_merges = false;
};

namespace detail {
class word_cache;
}

/// The characters of a word are joined pair by pair, always the pair whose merge stands first in the list, and of
/// equal ones the leftmost, until none is left. A word of n characters takes O(n log n).
class bpe final : public word_model {
 public:
  /// `merges`, best first; of a pair that stands there twice the last place counts, as in Hugging Face's tokenizers.
  /// Throws `value_error` if a merge's parts or its result are not in the vocabulary.
  bpe(vocabulary tokens, const std::vector<std::pair<std::string, std::string>>& merges, bpe_options options = {});
  ~bpe() override;

  void encode(std::string_view word, std::vector<token_id>& ids) const override;

 private:
  struct merge {
    std::int32_t rank;
    token_id result;
  };

  std::vector<token_id> characters_of(std::string_view word) const;
  void append_bytes_or_unknown(std::string_view character, std::vector<token_id>& ids, bool& after_unknown) const;
  const merge* find_merge(token_id left, token_id right) const;
  void join(std::vector<token_id>& ids) const;

  bpe_options options_;
  std::optional<token_id> unknown_;
  std::vector<std::optional<token_id>> byte_tokens_;  // empty, or 256
  std::unordered_map<std::uint64_t, merge> merges_;
  std::unique_ptr<detail::word_cache> cache_;
};

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/bpe.ipp"
#endif
