#pragma once

#include <algorithm>
#include <utility>

#include "mor1e/text/stream_decoder.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

MOR1E_INLINE stream_decoder::stream_decoder(tokenizer source, bool skip_special)
    : source_(std::move(source)), skip_special_(skip_special) {}

MOR1E_INLINE std::string stream_decoder::push(token_id id) {
  if (skip_special_ && source_.is_special(id)) return "";
  pending_.push_back(id);
  const std::string text = source_.decode(pending_, skip_special_);
  std::size_t end = text.size();
  if (text.ends_with(replacement_character)) {
    // A character has at most four bytes, each at most a token: what is ill-formed after more will stay so, except for
    // the last U+FFFD, behind which a new character may have begun.
    if (++waited_ <= 4) return "";
    end -= replacement_character.size();
  } else {
    waited_ = 0;
  }
  if (end <= given_) return "";
  std::string out = text.substr(given_, end - given_);
  given_ = end;
  if (end == text.size()) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(context_));
    context_ = pending_.size();
    given_ = source_.decode(pending_, skip_special_).size();
  }
  return out;
}

MOR1E_INLINE std::string stream_decoder::finish() {
  const std::string text = source_.decode(pending_, skip_special_);
  std::string rest = text.substr(std::min(given_, text.size()));
  pending_.clear();
  context_ = given_ = 0;
  waited_ = 0;
  return rest;
}

}  // namespace mor1e::texts
