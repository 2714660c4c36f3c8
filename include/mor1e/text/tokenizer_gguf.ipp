#pragma once

#include "mor1e/io/gguf.hpp"
#include "mor1e/text/bpe.hpp"
#include "mor1e/text/tokenizer_gguf.hpp"

namespace mor1e::texts {

namespace detail {

inline pre_tokenizer pre_tokenizer_of_gguf(const io::gguf_file& file) {
  const std::string key = "tokenizer.ggml.pre";
  const std::string name = file.string(key);
  if (name == "gpt-2") return byte_level_pre_tokenizer(false, true);
  // Every numeral is cut off alone before the pattern is applied.
  if (name == "smollm")
    return pre_tokenizer_sequence({digits_pre_tokenizer(true), byte_level_pre_tokenizer(false, true)});
  throw io_error(text(file.path().string(), ": ", key, " '", name, "' is not supported"));
}

/// Control tokens are special; user-defined ones are found in text, too, but are part of it.
inline std::vector<added_token> added_tokens_of_gguf(const io::gguf_file& file,
                                                     const std::vector<std::string>& tokens) {
  constexpr std::int64_t control = 3, user_defined = 4;
  const std::string key = "tokenizer.ggml.token_type";
  const auto types = file.integers(key);
  require<io_error>(types.size() == tokens.size(), file.path().string(), ": ", key, " has ", types.size(),
                    " entries for ", tokens.size(), " tokens");
  std::vector<added_token> added;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (types[i] == control || types[i] == user_defined)
      added.push_back({.content = tokens[i], .id = static_cast<token_id>(i), .special = types[i] == control});
  return added;
}

inline std::vector<std::pair<std::string, std::string>> merges_of_gguf(const io::gguf_file& file) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const std::string& both : file.strings("tokenizer.ggml.merges")) {
    const std::size_t space = both.find(' ');
    require<io_error>(space != both.npos, file.path().string(), ": tokenizer.ggml.merges[", merges.size(), "] '", both,
                      "' is not a pair");
    merges.emplace_back(both.substr(0, space), both.substr(space + 1));
  }
  return merges;
}

}  // namespace detail

MOR1E_INLINE tokenizer_parts parts_from_gguf(const std::filesystem::path& path) {
  const io::gguf_file file(path);
  const std::string model = file.string("tokenizer.ggml.model");
  require<io_error>(model == "gpt2", path.string(), ": tokenizer.ggml.model '", model, "' is not supported");
  const auto tokens = file.strings("tokenizer.ggml.tokens");
  const auto id_of = [&](const char* key) -> std::optional<token_id> {
    if (!file.contains(key)) return std::nullopt;
    const std::int64_t id = file.integer(key);
    require<io_error>(id >= 0 && id < std::int64_t(tokens.size()), path.string(), ": ", key, " is ", id,
                      " in a vocabulary of ", tokens.size());
    return static_cast<token_id>(id);
  };
  const auto flag = [&](const char* key) { return file.contains(key) && file.boolean(key); };

  tokenizer_parts parts;
  parts.origin = path.string();
  parts.bos = id_of("tokenizer.ggml.bos_token_id");
  parts.eos = id_of("tokenizer.ggml.eos_token_id");
  if (flag("tokenizer.ggml.add_bos_token") && parts.bos) parts.post.before.push_back(*parts.bos);
  if (flag("tokenizer.ggml.add_eos_token") && parts.eos) parts.post.behind.push_back(*parts.eos);
  if (flag("tokenizer.ggml.add_space_prefix")) {
    throw io_error(text(path.string(), ": tokenizer.ggml.add_space_prefix is not supported with model gpt2"));
  }
  try {
    parts.pre_tokenize = detail::pre_tokenizer_of_gguf(file);
    parts.added = added_tokens(detail::added_tokens_of_gguf(file, tokens), parts.normalize);
    parts.model = std::make_unique<bpe>(vocabulary(tokens), detail::merges_of_gguf(file));
  } catch (const value_error& e) {
    throw io_error(text(path.string(), ": tokenizer.ggml is inconsistent: ", e.what()));
  }
  parts.decode = byte_level_decoder();
  return parts;
}

}  // namespace mor1e::texts
