// Tokenizers stored in GGUF files.
#pragma once

#include "mor1e/core/config.hpp"
#include "mor1e/io/gguf.hpp"
#include "mor1e/text/byte_level.hpp"

namespace mor1e::texts {

/// What the metadata `tokenizer.*` describes: byte-level BPE (model `gpt2`) with the pre-tokenizers `gpt-2` and
/// `smollm`. Throws `io_error` naming file and key; other models and pre-tokenizers are refused by name.
byte_level_tokenizer tokenizer_of_gguf(const io::gguf_file& file);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/tokenizer_gguf.ipp"
#endif
