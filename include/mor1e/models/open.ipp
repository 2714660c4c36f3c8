// Definitions of models/open.hpp.
#pragma once

#include "mor1e/io/text_file.hpp"
#include "mor1e/models/locate.hpp"
#include "mor1e/models/open.hpp"
#include "mor1e/models/toy.hpp"
#include "mor1e/text/load_tokenizer.hpp"
#include "mor1e/text/tokenizer_gguf.hpp"

namespace mor1e::models {

MOR1E_INLINE io::checkpoint open(const std::string& model) {
  return model == toy_name ? toy_checkpoint() : io::open_checkpoint(locate(model));
}

MOR1E_INLINE bool is_encoder(const std::string& model) { return architecture_of(open(model)).ends_with("bert"); }

MOR1E_INLINE texts::tokenizer open_tokenizer(const std::string& model) {
  return model == toy_name ? texts::tokenizer(texts::parts_of(toy_tokenizer(), toy_name))
                           : texts::load_tokenizer(locate(model));
}

MOR1E_INLINE std::map<std::string, std::string> tokenizer_files(const std::string& model) {
  if (model == toy_name) return texts::files_of(toy_tokenizer());
  const std::filesystem::path path = locate(model);
  if (!std::filesystem::is_directory(path)) return texts::files_of(texts::tokenizer_of_gguf(path));
  std::map<std::string, std::string> out;
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
        "vocab.json", "merges.txt", "vocab.txt", "chat_template.jinja", "generation_config.json"})
    if (std::filesystem::exists(path / name)) out[name] = io::read_text(path / name);
  require<io_error>(out.contains("tokenizer.json") || out.contains("tokenizer.model") || out.contains("vocab.txt") ||
                        (out.contains("vocab.json") && out.contains("merges.txt")),
                    path.string(),
                    ": has no tokenizer: neither tokenizer.json nor tokenizer.model, vocab.txt, or "
                    "vocab.json with merges.txt");
  return out;
}

MOR1E_INLINE std::string weights_hash(const std::string& model) {
  return model == toy_name ? toy_hash : io::checkpoint_hash(locate(model));
}

}  // namespace mor1e::models
