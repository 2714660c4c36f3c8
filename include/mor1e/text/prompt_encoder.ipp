// Definitions of text/prompt_encoder.hpp.
#pragma once

#include <algorithm>

#include "mor1e/core/error.hpp"
#include "mor1e/text/prompt_encoder.hpp"

namespace mor1e::texts {

MOR1E_INLINE std::vector<token_id> prompt_encoder::with_beginning(std::string_view text) const {
  const auto beginning = tokenizer_.beginning();
  std::vector<token_id> ids(beginning.begin(), beginning.end());
  const std::vector<token_id> own = tokenizer_.encode(text, false);
  ids.insert(ids.end(), own.begin(), own.end());
  return ids;
}

MOR1E_INLINE void prompt_encoder::check(std::span<const token_id> ids, std::string_view whose) const {
  for (const token_id id : ids)
    require<value_error>(id < vocabulary_, whose, ": token ", id, " '", tokenizer_.decode({&id, 1}), "' of ",
                         tokenizer_.origin(), " is beyond the model's vocabulary of ", vocabulary_);
}

MOR1E_INLINE std::vector<token_id> prompt_encoder::encode(std::string_view prompt, std::string_view whose) const {
  std::vector<token_id> ids = with_beginning(prompt);
  check(ids, whose);
  return ids;
}

MOR1E_INLINE continuation prompt_encoder::encode(std::string_view prompt, std::string_view answer,
                                                 std::string_view whose, bool ends) const {
  const std::vector<token_id> alone = with_beginning(prompt);
  const std::vector<token_id> both = with_beginning(std::string(prompt).append(answer));
  const auto seam = std::mismatch(both.begin(), both.end(), alone.begin(), alone.end()).first;
  continuation out{{both.begin(), seam}, {seam, both.end()}};
  // The end token is no answer by itself, but free answers may be empty.
  if (ends && tokenizer_.eos()) out.answer.push_back(*tokenizer_.eos());
  require<value_error>(!out.answer.empty(), whose, ": the answer has no token");
  require<value_error>(!out.prompt.empty(), whose, ": the prompt has no token before the answer");
  check(out.prompt, whose);
  check(out.answer, whose);
  return out;
}

MOR1E_INLINE bool prompt_encoder::cut_left(std::vector<token_id>& prompt, index_t count) const {
  const auto kept = std::ssize(tokenizer_.beginning());
  if (count > std::ssize(prompt) - std::max<index_t>(kept, 1)) return false;
  prompt.erase(prompt.begin() + kept, prompt.begin() + kept + count);
  return true;
}

}  // namespace mor1e::texts
