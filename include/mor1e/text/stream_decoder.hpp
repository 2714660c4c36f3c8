// Decoding ids one at a time, as a model generates them.
#pragma once

#include <string>
#include <vector>

#include "mor1e/text/tokenizer.hpp"

namespace mor1e::texts {

/// Gives out text as soon as it is complete: a character whose bytes are spread over several tokens comes with its last
/// one. What `push` and then `finish` return, joined, is what `decode` gives, if that is a text without U+FFFD.
class stream_decoder {
 public:
  explicit stream_decoder(tokenizer source, bool skip_special = true);

  /// Takes the next id; returns the text that it completes, which may be empty.
  std::string push(token_id id);

  /// Returns what is held back, an unfinished character as U+FFFD, and starts anew.
  std::string finish();

 private:
  tokenizer source_;
  bool skip_special_;
  // The tokens given out last, kept because a decoder may treat the first token and runs of bytes in ways of their own,
  // and behind these `context_` ones the tokens not given out yet.
  std::vector<token_id> pending_;
  std::size_t context_ = 0;
  std::size_t given_ = 0;  // how many bytes of the text of `pending_` were given out
  int waited_ = 0;         // for how many tokens in a row the text has ended in an unfinished character
};

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/stream_decoder.ipp"
#endif
