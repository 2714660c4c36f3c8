// Pre-tokenizers: how text is cut into the words that a model encodes one by one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/text/regex.hpp"

namespace mor1e::texts {

/// A part of a text on its way to the model.
struct piece {
  std::string text;
  bool at_start = false;  ///< it begins where the whole text begins
};

/// Replaces pieces by smaller ones. An empty function leaves them.
using pre_tokenizer = std::function<void(std::vector<piece>&)>;

/// What becomes of the places where a text is cut.
enum class delimiter { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// Finds the delimiters of a text, in order, not empty.
using delimiter_finder = std::function<std::vector<byte_range>(const std::string&)>;

/// Cuts at what `find` finds, or, if inverted, at what lies between.
pre_tokenizer split_pre_tokenizer(delimiter_finder find, delimiter behaviour, bool inverted = false);

/// Finders: a pattern, a fixed text, each character of a kind.
delimiter_finder finds(regex pattern);
delimiter_finder finds(std::string what);
delimiter_finder finds(bool (*kind)(char32_t));

/// Cuts as GPT-2 does unless `split` is false, and turns bytes into the characters that stand for them.
pre_tokenizer byte_level_pre_tokenizer(bool add_prefix_space, bool split);
/// At numbers, each character of them alone or not.
pre_tokenizer digits_pre_tokenizer(bool individual);
/// At white space, which is dropped, and around each punctuation character.
pre_tokenizer bert_pre_tokenizer();

enum class prepend_scheme { always, first, never };

/// Spaces become `replacement`, which is put in front, too, of all pieces, of the one at the start of the text, or of
/// none; then cuts before each replacement if `split`.
pre_tokenizer metaspace_pre_tokenizer(std::string replacement, prepend_scheme scheme, bool split);

pre_tokenizer pre_tokenizer_sequence(std::vector<pre_tokenizer> steps);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/pre_tokenizer.ipp"
#endif
