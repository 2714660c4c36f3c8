// Normalizers: what is done to text before it is cut.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/text/regex.hpp"
#include "mor1e/text/unicode.hpp"

namespace mor1e::texts {

/// Text in, text out; both well-formed UTF-8. An empty function leaves text as it is.
using normalizer = std::function<std::string(std::string)>;

struct bert_normalizer_options {
  bool clean_text = true;           ///< no control characters, and every white space a plain space
  bool separate_ideographs = true;  ///< spaces around every Chinese character
  bool strip_accents = true;        ///< decompose, then drop nonspacing marks
  bool lower_case = true;
};

normalizer bert_normalizer(bert_normalizer_options options);
normalizer unicode_normalizer(normal_form form);
normalizer lower_case_normalizer();
/// Drops all marks, without decomposing first.
normalizer strip_accents_normalizer();
/// Drops white space at the ends.
normalizer strip_normalizer(bool left, bool right);
/// Puts `head` before text that is not empty.
normalizer prepend_normalizer(std::string head);
normalizer replace_normalizer(std::string what, std::string with);
normalizer replace_normalizer(regex what, std::string with);
normalizer normalizer_sequence(std::vector<normalizer> steps);

/// `text` with every occurrence of `what` replaced.
std::string replaced(std::string_view text, std::string_view what, std::string_view with);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/normalizer.ipp"
#endif
