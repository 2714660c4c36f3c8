// A tiny model made in the process, so that everything can be tried with nothing downloaded.
#pragma once

#include "mor1e/core/config.hpp"
#include "mor1e/io/checkpoint.hpp"
#include "mor1e/text/bpe_description.hpp"

namespace mor1e::models {

/// The name that stands for it wherever a model is asked for.
inline constexpr const char* toy_name = "toy";

/// A llama of two layers, hidden size 64 and 257 tokens, with random weights that are the same everywhere: each tensor
/// is a stream of its own name. Linears are normal with variance 1 / inputs, embeddings normal, norms one.
io::checkpoint toy_checkpoint();

/// Stands for a hash of weights that lie in no file. It names the recipe, to be changed with it.
inline constexpr const char* toy_hash = "toy-1";

/// Token i is the byte i; token 256 ends a text. Nothing is added to a text.
texts::bpe_description toy_tokenizer();

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/toy.ipp"
#endif
