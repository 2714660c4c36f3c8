// Decoders: how tokens become text again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mor1e/core/config.hpp"

namespace mor1e::texts {

/// Rewrites the tokens of a text; what the last decoder leaves is joined. An empty function joins them by spaces.
using decoder = std::function<std::vector<std::string>(std::vector<std::string>)>;

/// The bytes that the characters of tokens stand for; ill-formed UTF-8 becomes U+FFFD.
decoder byte_level_decoder();
/// A space before every token but the first; instead of it, `continuation` is taken away where a token has it.
/// `clean_up` drops the spaces that English does not have: before punctuation and in contractions.
decoder word_piece_decoder(std::string continuation, bool clean_up);
/// Runs of `<0x00>` ... `<0xFF>` become the characters they spell, or a U+FFFD each.
decoder byte_fallback_decoder();
decoder replace_decoder(std::string what, std::string with);
/// Joins all tokens to one.
decoder fuse_decoder();
/// Takes up to `left` and `right` times `what` from the ends of each token.
decoder strip_decoder(std::string what, std::size_t left, std::size_t right);
/// `replacement` becomes a space; in the first token it is dropped if `drop_first`.
decoder metaspace_decoder(std::string replacement, bool drop_first);
decoder decoder_sequence(std::vector<decoder> steps);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/decoder.ipp"
#endif
