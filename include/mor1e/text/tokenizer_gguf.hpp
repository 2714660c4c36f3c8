// Tokenizers stored in GGUF files.
#pragma once

#include <filesystem>

#include "mor1e/core/config.hpp"
#include "mor1e/text/tokenizer.hpp"

namespace mor1e::texts {

/// Builds the parts that the metadata `tokenizer.ggml.*` describes: byte-level BPE (model `gpt2`) with the
/// pre-tokenizers `gpt-2` and `smollm`. Throws `io_error` naming file and key; other models and pre-tokenizers are
/// refused by name.
tokenizer_parts parts_from_gguf(const std::filesystem::path& path);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/tokenizer_gguf.ipp"
#endif
