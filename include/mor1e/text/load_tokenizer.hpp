// Reading tokenizers from files.
#pragma once

#include <filesystem>

#include "mor1e/core/config.hpp"
#include "mor1e/text/tokenizer.hpp"

namespace mor1e::texts {

/// Reads a tokenizer from
/// - a folder with tokenizer.json, or with vocab.txt alone (WordPiece);
/// - a tokenizer.json or a vocab.txt;
/// - a .gguf with a byte-level vocabulary.
///
/// Which tokens begin and end a text is read from the tokenizer_config.json beside the file, then from config.json.
/// Truncation and padding stored in tokenizer.json are not applied. Throws `io_error` naming file and field for what is
/// malformed, and naming the component for what is not supported.
tokenizer load_tokenizer(const std::filesystem::path& path);

}  // namespace mor1e::texts

#ifndef MOR1E_COMPILED
#include "mor1e/text/load_tokenizer.ipp"
#endif
