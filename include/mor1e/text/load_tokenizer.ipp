#pragma once

#include <algorithm>

#include <nlohmann/json.hpp>

#include "mor1e/core/split.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/text/json_node.hpp"
#include "mor1e/text/load_tokenizer.hpp"
#include "mor1e/text/tokenizer_gguf.hpp"
#include "mor1e/text/tokenizer_json.hpp"
#include "mor1e/text/word_piece.hpp"

namespace mor1e::texts {

namespace detail {

namespace fs = std::filesystem;

/// The text of a token in tokenizer_config.json: "<s>", or {"content": "<s>", ...}.
inline std::string text_of(const json_node& token) {
  return token.is_string() ? token.string() : token["content"].string();
}

/// Fills in which tokens begin and end a text, from the files beside the tokenizer. Throws `io_error` for a token that
/// tokenizer_config.json names and the tokenizer lacks: Transformers would add it, and cut texts otherwise.
inline void read_ends(tokenizer_parts& parts, const fs::path& folder) {
  const auto id_of = [&](const json_node& token) {
    const std::string name = text_of(token);
    auto id = parts.added.tokens().id_of(name);
    if (!id) id = parts.model->tokens().id_of(name);
    if (!id) token.fail(text("is ", in_quotes(name), ", which is no token of ", parts.origin));
    return *id;
  };
  if (const auto path = folder / "tokenizer_config.json"; fs::exists(path)) {
    const nlohmann::json content = io::read_json(path);
    const json_node config(content, path.string());
    if (config.has("bos_token")) parts.bos = id_of(config["bos_token"]);
    if (config.has("eos_token")) parts.eos = id_of(config["eos_token"]);
    if (config.has("additional_special_tokens"))
      for (const json_node& token : config["additional_special_tokens"].elements()) id_of(token);
    if (config.has("added_tokens_decoder"))
      config["added_tokens_decoder"].members([&](const std::string& id, const json_node& token) {
        if (std::to_string(id_of(token)) != id) token.fail(text("has another id in ", parts.origin));
      });
  }
  if (const auto path = folder / "config.json"; fs::exists(path)) {
    const nlohmann::json content = io::read_json(path);
    const json_node config(content, path.string());
    const auto first_id = [&](std::string_view key) -> std::optional<token_id> {
      if (!config.has(key)) return std::nullopt;
      if (!config[key].is_array()) return config[key].id();
      const auto several = config[key].elements();
      return several.empty() ? std::nullopt : std::optional(several.front().id());
    };
    if (!parts.bos) parts.bos = first_id("bos_token_id");
    if (!parts.eos) parts.eos = first_id("eos_token_id");
  }
}

/// BERT's own files: vocab.txt with one token a line, options in tokenizer_config.json.
inline tokenizer_parts parts_from_vocabulary_lines(const fs::path& path) {
  std::vector<std::string> lines = split(io::read_text(path), '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();  // after the last line's end
  for (std::string& line : lines)
    if (line.ends_with('\r')) line.pop_back();
  bool lower_case = true, strip_accents = true, separate_ideographs = true;
  if (const auto config_path = path.parent_path() / "tokenizer_config.json"; fs::exists(config_path)) {
    const nlohmann::json config = io::read_json(config_path);
    const json_node node(config, config_path.string());
    lower_case = node.flag("do_lower_case", true);
    strip_accents = node.flag("strip_accents", lower_case);
    separate_ideographs = node.flag("tokenize_chinese_chars", true);
  }
  vocabulary tokens(lines);
  std::vector<added_token> special;
  for (const char* name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    const auto id = tokens.id_of(name);
    require<io_error>(id.has_value(), path.string(), ": lacks the token '", name, "'");
    special.push_back({.content = name, .id = *id, .special = true});
  }
  tokenizer_parts parts;
  parts.post = {{*tokens.id_of("[CLS]")}, {*tokens.id_of("[SEP]")}};
  parts.model = std::make_unique<word_piece>(std::move(tokens), word_piece_options{});
  parts.normalize = bert_normalizer({.clean_text = true,
                                     .separate_ideographs = separate_ideographs,
                                     .strip_accents = strip_accents,
                                     .lower_case = lower_case});
  parts.pre_tokenize = bert_pre_tokenizer();
  parts.decode = word_piece_decoder("##", true);
  parts.added = added_tokens(special, parts.normalize);
  return parts;
}

}  // namespace detail

MOR1E_INLINE tokenizer load_tokenizer(const std::filesystem::path& path) {
  if (path.extension() == ".gguf")
    return tokenizer(parts_of(tokenizer_of_gguf(path), path.string() + ": tokenizer.ggml"));
  auto file = path;
  if (std::filesystem::is_directory(path)) {
    file = path / "tokenizer.json";
    if (!std::filesystem::exists(file)) file = path / "vocab.txt";
    require<io_error>(std::filesystem::exists(file), path.string(), ": has neither tokenizer.json nor vocab.txt");
  }
  tokenizer_parts parts = file.filename() == "vocab.txt" ? detail::parts_from_vocabulary_lines(file)
                                                         : parts_from_json(io::read_json(file), file.string());
  parts.origin = file.string();
  detail::read_ends(parts, file.parent_path());
  return tokenizer(std::move(parts));
}

}  // namespace mor1e::texts
