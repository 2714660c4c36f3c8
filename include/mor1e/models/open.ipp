// Definitions of models/open.hpp.
#pragma once

#include "mor1e/models/locate.hpp"
#include "mor1e/models/open.hpp"
#include "mor1e/models/toy.hpp"
#include "mor1e/text/load_tokenizer.hpp"

namespace mor1e::models {

MOR1E_INLINE io::checkpoint open(const std::string& model) {
  return model == toy_name ? toy_checkpoint() : io::open_checkpoint(locate(model));
}

MOR1E_INLINE bool is_encoder(const std::string& model) { return architecture_of(open(model)).ends_with("bert"); }

MOR1E_INLINE texts::tokenizer open_tokenizer(const std::string& model) {
  return model == toy_name ? toy_tokenizer() : texts::load_tokenizer(locate(model));
}

MOR1E_INLINE std::string weights_hash(const std::string& model) {
  return model == toy_name ? toy_hash : io::checkpoint_hash(locate(model));
}

}  // namespace mor1e::models
