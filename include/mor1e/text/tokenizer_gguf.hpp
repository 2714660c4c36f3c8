// Tokenizers stored in GGUF files.
#pragma once

#include <filesystem>

#include "mor1e/core/config.hpp"
#include "mor1e/io/gguf.hpp"
#include "mor1e/text/bpe_description.hpp"

namespace mor1e::texts {

/// What the metadata `tokenizer.*` describes: byte-level BPE (model `gpt2`) with the pre-tokenizers `gpt-2`, `phi-2`,
/// `smollm` and `bloom`, or SentencePiece's BPE (model `llama`). Throws `io_error` naming file and key; other models
/// and pre-tokenizers are refused by name, and a SentencePiece vocabulary without the scores that order its merges.
bpe_description tokenizer_of_gguf(const io::gguf_file& file);
/// The same of a model's file; of one that is split, the first part has it.
bpe_description tokenizer_of_gguf(const std::filesystem::path& path);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/tokenizer_gguf.ipp"
#endif
