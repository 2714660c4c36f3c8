// Models by name: what `--model` takes.
#pragma once

#include <map>
#include <string>

#include "mor1e/core/config.hpp"
#include "mor1e/io/checkpoint.hpp"
#include "mor1e/text/tokenizer.hpp"

namespace mor1e::models {

/// Opens a model: a Hugging Face folder, a .gguf file, a short name (see locate.hpp), or "toy" (see toy.hpp).
/// Throws `io_error`: "no model at NAME: ...", or naming the file that is malformed.
io::checkpoint open(const std::string& model);

/// Whether it is an encoder (see `load_encoder`), not a decoder. Throws as `open`.
bool is_encoder(const std::string& model);

/// The tokenizer that lies with the model. Throws `io_error`.
texts::tokenizer open_tokenizer(const std::string& model);

/// The files of a Hugging Face folder that say how the model's texts are read and ended (tokenizer.json,
/// tokenizer_config.json, generation_config.json, ...), by name: those of a folder as they are, those of a .gguf or of
/// the toy made from its vocabulary. Throws `io_error` if there is no tokenizer, or none that we know in a .gguf.
std::map<std::string, std::string> tokenizer_files(const std::string& model);

/// SHA-256 of its weights, see `io::checkpoint_hash`. Throws `io_error`.
std::string weights_hash(const std::string& model);

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/open.ipp"
#endif
