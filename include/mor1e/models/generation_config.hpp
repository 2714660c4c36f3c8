// What the files of a model say about continuing a text.
#pragma once

#include <cstdint>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/io/checkpoint.hpp"
#include "mor1e/text/tokenizer.hpp"

namespace mor1e::models {

/// The tokens that end a text: `eos_token_id` of generation_config.json, else of config.json, one or a list, and the
/// tokenizer's own. How tokens are drawn (do_sample, temperature, top_k, top_p, lengths) is the caller's to say; what
/// else the file asks for (penalties, beams, forced or forbidden tokens) is refused by a `value_error` naming file and
/// key. Throws `io_error` for what is malformed.
std::vector<std::int32_t> end_tokens(const io::checkpoint& from, const texts::tokenizer& tokenizer);

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/generation_config.ipp"
#endif
