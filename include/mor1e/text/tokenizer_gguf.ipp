#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "mor1e/io/gguf_weights.hpp"
#include "mor1e/text/tokenizer_gguf.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

namespace detail {

/// The pre-tokenizer by its name in llama.cpp.
inline void read_pre_tokenizer(const io::gguf_file& file, bpe_description& to) {
  const std::string key = "tokenizer.ggml.pre", name = file.string(key);
  if (name == "smollm") {
    to.digits_alone = true;
  } else if (name == "bloom") {
    to.words = false;
    to.cut = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+";
  } else {
    require<io_error>(name == "gpt-2" || name == "phi-2", file.path().string(), ": ", key, " '", name,
                      "' is not supported");
  }
}

/// The tokens; each stands once and is UTF-8, as in a tokenizer.json.
inline void read_tokens(const io::gguf_file& file, bpe_description& to) {
  const std::string key = "tokenizer.ggml.tokens", where = file.path().string() + ": " + key;
  to.tokens = file.strings(key);
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < to.tokens.size(); ++i) {
    require<io_error>(is_well_formed(to.tokens[i]), where, "[", i, "] is not UTF-8");
    const auto [first, is_new] = seen.emplace(to.tokens[i], i);
    require<io_error>(is_new, where, "[", i, "] '", to.tokens[i], "' is there already, at ", first->second);
  }
}

/// Control tokens are special, and so is the one for what is unknown; user-defined ones are found in text, too, but are
/// part of it.
inline void read_added_tokens(const io::gguf_file& file, bpe_description& to) {
  constexpr std::int64_t unknown = 2, control = 3, user_defined = 4;
  const std::string key = "tokenizer.ggml.token_type";
  const auto types = file.integers(key);
  require<io_error>(types.size() == to.tokens.size(), file.path().string(), ": ", key, " has ", types.size(),
                    " entries for ", to.tokens.size(), " tokens");
  for (std::size_t i = 0; i < to.tokens.size(); ++i)
    if (types[i] == unknown || types[i] == control || types[i] == user_defined)
      to.added.push_back(
          {.content = to.tokens[i], .id = static_cast<token_id>(i), .special = types[i] != user_defined});
}

inline void read_merges(const io::gguf_file& file, bpe_description& to) {
  for (const std::string& both : file.strings("tokenizer.ggml.merges")) {
    const std::size_t space = both.find(' ');
    require<io_error>(space != both.npos && is_well_formed(both), file.path().string(), ": tokenizer.ggml.merges[",
                      to.merges.size(), "] '", repaired(both), "' is not a pair");
    to.merges.emplace_back(both.substr(0, space), both.substr(space + 1));
  }
}

/// SentencePiece's files have no merges but scores.
inline void read_scores(const io::gguf_file& file, bpe_description& to) {
  const std::string key = "tokenizer.ggml.scores", where = file.path().string() + ": " + key;
  const auto scores = file.numbers(key);
  require<io_error>(scores.size() == to.tokens.size(), where, " has ", scores.size(), " entries for ", to.tokens.size(),
                    " tokens");
  constexpr std::size_t longest = 1024;  // all ways to cut a token are looked up
  for (std::size_t i = 0; i < scores.size(); ++i) {
    require<io_error>(std::isfinite(scores[i]), where, "[", i, "] is ", scores[i]);
    require<io_error>(to.tokens[i].size() <= longest, where, ": token ", i, " has ", to.tokens[i].size(),
                      " bytes; there are ", longest, " at most");
  }
  // What a converter writes that had no tokenizer.model.
  require<io_error>(std::adjacent_find(scores.begin(), scores.end(), std::not_equal_to<>()) != scores.end(), where,
                    " are all the same, so the order of merges is not in the file");
  to.merges = merges_by_score(to.tokens, scores);
}

}  // namespace detail

MOR1E_INLINE bpe_description tokenizer_of_gguf(const io::gguf_file& file) {
  const std::string where = file.path().string(), model = file.string("tokenizer.ggml.model");
  const bool pieces = model == "llama";
  require<io_error>(pieces || model == "gpt2", where, ": tokenizer.ggml.model '", model, "' is not supported");
  bpe_description out;
  if (pieces)
    out.letters = bpe_description::alphabet::sentence_piece;
  else
    detail::read_pre_tokenizer(file, out);
  detail::read_tokens(file, out);
  // `usual`: of a SentencePiece vocabulary whose file does not say.
  const auto id_of = [&](const char* key, token_id usual = -1) -> std::optional<token_id> {
    if (!file.contains(key))
      return pieces && usual >= 0 && usual < token_id(out.tokens.size()) ? std::optional(usual) : std::nullopt;
    const std::int64_t id = file.integer(key);
    require<io_error>(id >= 0 && id < std::int64_t(out.tokens.size()), where, ": ", key, " is ", id,
                      " in a vocabulary of ", out.tokens.size());
    return static_cast<token_id>(id);
  };
  const auto flag = [&](const char* key, bool otherwise = false) {
    return file.contains(key) ? file.boolean(key) : otherwise;
  };
  out.bos = id_of("tokenizer.ggml.bos_token_id", 1);
  out.eos = id_of("tokenizer.ggml.eos_token_id", 2);
  out.unknown = id_of("tokenizer.ggml.unknown_token_id", 0);
  out.padding = id_of("tokenizer.ggml.padding_token_id");
  out.begins = flag("tokenizer.ggml.add_bos_token", pieces);
  out.ends = flag("tokenizer.ggml.add_eos_token");
  out.space_before = flag("tokenizer.ggml.add_space_prefix", pieces);
  require<io_error>(pieces || !out.space_before, where,
                    ": tokenizer.ggml.add_space_prefix is not supported with model gpt2");
  detail::read_added_tokens(file, out);
  if (pieces && !file.contains("tokenizer.ggml.merges"))
    detail::read_scores(file, out);
  else
    detail::read_merges(file, out);
  const auto context =
      file.contains("general.architecture") ? file.string("general.architecture") + ".context_length" : "";
  if (file.contains(context)) out.context = file.integer(context);
  if (const char* key = "tokenizer.chat_template"; file.contains(key)) {
    out.chat_template = file.string(key);
    require<io_error>(is_well_formed(out.chat_template), where, ": ", key, " is not UTF-8");
  }
  return out;
}

MOR1E_INLINE bpe_description tokenizer_of_gguf(const std::filesystem::path& path) {
  return tokenizer_of_gguf(io::gguf_file(io::gguf_parts(path).front()));
}

}  // namespace mor1e::texts
