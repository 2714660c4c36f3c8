#pragma once

#include <nlohmann/json.hpp>

#include "mor1e/text/bpe.hpp"
#include "mor1e/text/json_node.hpp"
#include "mor1e/text/tokenizer_json.hpp"
#include "mor1e/text/word_piece.hpp"

namespace mor1e::texts {

namespace detail {

[[noreturn]] inline void refuse(const json_node& node, const std::string& kind, const std::string& type) {
  node.fail(text("asks for the ", kind, " '", type, "', which is not supported"));
}

/// {"String": ...} or {"Regex": ...}
inline bool is_regex(const json_node& pattern) {
  if (!pattern.has("Regex") && !pattern.has("String")) pattern.fail("has neither 'String' nor 'Regex'");
  return pattern.has("Regex");
}

inline regex regex_from(const json_node& pattern) {
  try {
    return regex(pattern["Regex"].string());
  } catch (const value_error& e) {
    pattern.fail(text("cannot be used: ", e.what()));
  }
}

inline normalizer normalizer_from(const json_node& node) {
  const std::string type = node["type"].string();
  if (type == "Sequence") {
    std::vector<normalizer> steps;
    for (const json_node& step : node["normalizers"].elements()) steps.push_back(normalizer_from(step));
    return normalizer_sequence(std::move(steps));
  }
  if (type == "BertNormalizer") {
    const bool lower_case = node.flag("lowercase", true);
    return bert_normalizer({.clean_text = node.flag("clean_text", true),
                            .separate_ideographs = node.flag("handle_chinese_chars", true),
                            .strip_accents = node.flag("strip_accents", lower_case),
                            .lower_case = lower_case});
  }
  if (type == "Prepend") return prepend_normalizer(node["prepend"].string());
  if (type == "Replace") {
    const json_node pattern = node["pattern"];
    std::string with = node["content"].string();
    return is_regex(pattern) ? replace_normalizer(regex_from(pattern), std::move(with))
                             : replace_normalizer(pattern["String"].string(), std::move(with));
  }
  if (type == "NFC") return unicode_normalizer(normal_form::nfc);
  if (type == "NFD") return unicode_normalizer(normal_form::nfd);
  if (type == "NFKC") return unicode_normalizer(normal_form::nfkc);
  if (type == "NFKD") return unicode_normalizer(normal_form::nfkd);
  if (type == "Lowercase") return lower_case_normalizer();
  if (type == "StripAccents") return strip_accents_normalizer();
  if (type == "Strip") return strip_normalizer(node.flag("strip_left", true), node.flag("strip_right", true));
  refuse(node, "normalizer", type);
}

inline delimiter delimiter_from(const json_node& node) {
  const std::string name = node.string();
  if (name == "Removed") return delimiter::removed;
  if (name == "Isolated") return delimiter::isolated;
  if (name == "MergedWithPrevious") return delimiter::merged_with_previous;
  if (name == "MergedWithNext") return delimiter::merged_with_next;
  if (name == "Contiguous") return delimiter::contiguous;
  refuse(node, "split behavior", name);
}

inline prepend_scheme prepend_scheme_from(const json_node& node) {
  // Older files have a flag where newer ones have a word.
  if (!node.has("prepend_scheme"))
    return node.flag("add_prefix_space", true) ? prepend_scheme::always : prepend_scheme::never;
  const std::string scheme = node["prepend_scheme"].string();
  if (scheme == "always") return prepend_scheme::always;
  if (scheme == "first") return prepend_scheme::first;
  if (scheme == "never") return prepend_scheme::never;
  refuse(node, "prepend_scheme", scheme);
}

inline pre_tokenizer pre_tokenizer_from(const json_node& node) {
  const std::string type = node["type"].string();
  if (type == "Sequence") {
    std::vector<pre_tokenizer> steps;
    for (const json_node& step : node["pretokenizers"].elements()) steps.push_back(pre_tokenizer_from(step));
    return pre_tokenizer_sequence(std::move(steps));
  }
  if (type == "ByteLevel")
    return byte_level_pre_tokenizer(node.flag("add_prefix_space", true), node.flag("use_regex", true));
  if (type == "Digits") return digits_pre_tokenizer(node.flag("individual_digits", false));
  if (type == "Split") {
    const json_node pattern = node["pattern"];
    auto find = is_regex(pattern) ? finds(regex_from(pattern)) : finds(pattern["String"].string());
    return split_pre_tokenizer(std::move(find), delimiter_from(node["behavior"]), node.flag("invert", false));
  }
  if (type == "BertPreTokenizer") return bert_pre_tokenizer();
  if (type == "Metaspace")
    return metaspace_pre_tokenizer(node["replacement"].string(), prepend_scheme_from(node), node.flag("split", true));
  if (type == "WhitespaceSplit") return split_pre_tokenizer(finds(is_white_space), delimiter::removed);
  if (type == "Punctuation") {
    const auto behaviour = node.has("behavior") ? delimiter_from(node["behavior"]) : delimiter::isolated;
    return split_pre_tokenizer(finds(is_punctuation), behaviour);
  }
  refuse(node, "pre-tokenizer", type);
}

inline decoder decoder_from(const json_node& node) {
  const std::string type = node["type"].string();
  if (type == "Sequence") {
    std::vector<decoder> steps;
    for (const json_node& step : node["decoders"].elements()) steps.push_back(decoder_from(step));
    return decoder_sequence(std::move(steps));
  }
  if (type == "ByteLevel") return byte_level_decoder();
  if (type == "WordPiece") return word_piece_decoder(node.string("prefix", "##"), node.flag("cleanup", true));
  if (type == "ByteFallback") return byte_fallback_decoder();
  if (type == "Fuse") return fuse_decoder();
  if (type == "Replace" && !is_regex(node["pattern"]))
    return replace_decoder(node["pattern"]["String"].string(), node["content"].string());
  if (type == "Strip") {
    const auto count = [&](std::string_view key) { return static_cast<std::size_t>(node[key].id()); };
    return strip_decoder(node["content"].string(), count("start"), count("stop"));
  }
  if (type == "Metaspace")
    return metaspace_decoder(node["replacement"].string(), prepend_scheme_from(node) != prepend_scheme::never);
  refuse(node, "decoder", type);
}

/// The ids that a template's special token stands for.
inline std::vector<token_id> ids_of_template(const json_node& node, const std::string& name) {
  std::vector<token_id> ids;
  for (const json_node& id : node["special_tokens"][name]["ids"].elements()) ids.push_back(id.id());
  return ids;
}

inline post_processor post_processor_from(const json_node& node) {
  const std::string type = node["type"].string();
  post_processor out;
  if (type == "ByteLevel") return out;  // only moves offsets
  if (type == "Sequence") {
    for (const json_node& step : node["processors"].elements()) out = out.within(post_processor_from(step));
    return out;
  }
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    const auto id = [&](std::string_view key) {
      const auto pair = node[key].elements();  // [token, id]
      if (pair.size() != 2) node[key].fail("is not a token and its id");
      return pair[1].id();
    };
    return {{id("cls")}, {id("sep")}};
  }
  if (type == "TemplateProcessing") {
    int texts = 0;
    for (const json_node& item : node["single"].elements()) {
      if (item.has("Sequence")) {
        ++texts;
        continue;
      }
      auto& side = texts == 0 ? out.before : out.behind;
      const auto ids = ids_of_template(node, item["SpecialToken"]["id"].string());
      side.insert(side.end(), ids.begin(), ids.end());
    }
    if (texts != 1) node["single"].fail(text("has the text ", texts, " times"));
    return out;
  }
  refuse(node, "post-processor", type);
}

inline std::vector<added_token> added_tokens_from(const json_node& node) {
  std::vector<added_token> out;
  for (const json_node& item : node.elements())
    out.push_back({.content = item["content"].string(),
                   .id = item["id"].id(),
                   .special = item.flag("special", false),
                   .normalized = item.flag("normalized", true),
                   .single_word = item.flag("single_word", false),
                   .left_strip = item.flag("lstrip", false),
                   .right_strip = item.flag("rstrip", false)});
  return out;
}

inline vocabulary vocabulary_from(const json_node& node) {
  vocabulary out;
  node.members([&](const std::string& token, const json_node& id) { out.add(token, id.id()); });
  return out;
}

/// ["a", "b"], or "a b" in older files.
inline std::pair<std::string, std::string> merge_from(const json_node& node) {
  if (node.is_string()) {
    const std::string both = node.string();
    const std::size_t space = both.find(' ');
    if (space == both.npos || both.find(' ', space + 1) != both.npos) node.fail("is not a pair");
    return {both.substr(0, space), both.substr(space + 1)};
  }
  const auto pair = node.elements();
  if (pair.size() != 2) node.fail("is not a pair");
  return {pair[0].string(), pair[1].string()};
}

inline std::unique_ptr<const word_model> bpe_from(const json_node& node) {
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!node.string(affix, "").empty()) node[affix].fail("is not supported");
  if (node.has("dropout")) node["dropout"].fail("is not supported");
  std::vector<std::pair<std::string, std::string>> merges;
  for (const json_node& merge : node["merges"].elements()) merges.push_back(merge_from(merge));
  return std::make_unique<bpe>(vocabulary_from(node["vocab"]), merges,
                               bpe_options{.unknown_token = node.string("unk_token", ""),
                                           .fuse_unknown = node.flag("fuse_unk", false),
                                           .byte_fallback = node.flag("byte_fallback", false),
                                           .ignore_merges = node.flag("ignore_merges", false)});
}

inline std::unique_ptr<const word_model> word_piece_from(const json_node& node) {
  word_piece_options options;
  options.unknown_token = node.string("unk_token", options.unknown_token);
  options.continuation = node.string("continuing_subword_prefix", options.continuation);
  if (node.has("max_input_chars_per_word"))
    options.longest_word = static_cast<std::size_t>(node["max_input_chars_per_word"].id());
  return std::make_unique<word_piece>(vocabulary_from(node["vocab"]), options);
}

inline std::unique_ptr<const word_model> model_from(const json_node& node) {
  // Very old files do not name the model; only BPE has merges.
  const std::string type = node.has("merges") ? node.string("type", "BPE") : node["type"].string();
  if (type != "BPE" && type != "WordPiece") refuse(node, "model", type);
  try {
    return type == "BPE" ? bpe_from(node) : word_piece_from(node);
  } catch (const value_error& e) {
    node.fail(text("is inconsistent: ", e.what()));
  }
}

}  // namespace detail

MOR1E_INLINE tokenizer_parts parts_from_json(const nlohmann::json& content, const std::string& file) {
  const detail::json_node root(content, file);
  tokenizer_parts parts;
  parts.model = detail::model_from(root["model"]);
  if (root.has("normalizer")) parts.normalize = detail::normalizer_from(root["normalizer"]);
  if (root.has("pre_tokenizer")) parts.pre_tokenize = detail::pre_tokenizer_from(root["pre_tokenizer"]);
  if (root.has("post_processor")) parts.post = detail::post_processor_from(root["post_processor"]);
  if (root.has("decoder")) parts.decode = detail::decoder_from(root["decoder"]);
  if (root.has("added_tokens")) {
    const auto tokens = root["added_tokens"];
    try {
      const std::vector<added_token> added = detail::added_tokens_from(tokens);
      for (const added_token& token : added)
        if (const auto id = parts.model->tokens().id_of(token.content); id && *id != token.id)
          tokens.fail(text("holds ", in_quotes(token.content), " as ", token.id, ", the vocabulary as ", *id));
      parts.added = added_tokens(added, parts.normalize);
    } catch (const value_error& e) {
      tokens.fail(text("cannot be used: ", e.what()));
    }
  }
  return parts;
}

}  // namespace mor1e::texts
