// What a sentence-transformers folder says about the way from a text to its vector.
#pragma once

#include <filesystem>
#include <string>

#include "mor1e/core/config.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e::models {

/// Which states of a sentence become its vector: the mean over its tokens, or the first token's ([CLS]).
enum class sentence_pooling { mean, cls };

struct sentence_modules {
  sentence_pooling pooling = sentence_pooling::mean;
  bool normalise = true;    ///< to unit length
  bool lower_case = false;  ///< the text, before the tokenizer sees it
  index_t max_length = 0;   ///< tokens a sentence is cut to, the special ones included; 0: not said

  /// What of it changes vectors of the same weights, empty for the defaults: "", "cls", "mean, not normalised", ...
  std::string label() const;
};

/// Reads modules.json, 1_Pooling/config.json, sentence_bert_config.json, config_sentence_transformers.json and the
/// tokenizer's length of a folder, as far as they are there; without modules.json the vectors are normalised means.
/// Throws `io_error` naming file and key for what is malformed, and `value_error` for a module, a pooling or a default
/// prompt that we do not compute.
sentence_modules read_sentence_modules(const std::filesystem::path& folder);

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/sentence_modules.ipp"
#endif
