#pragma once

#include <algorithm>

#include <nlohmann/json.hpp>

#include "mor1e/text/byte_level.hpp"
#include "mor1e/text/tokenizer_json.hpp"

namespace mor1e::texts {

MOR1E_INLINE nlohmann::json tokenizer_json_of(const byte_level_tokenizer& from) {
  using nlohmann::json;
  json vocabulary = json::object(), merges = json::array(), added = json::array();
  for (std::size_t i = 0; i < from.tokens.size(); ++i) vocabulary[from.tokens[i]] = i;
  for (const auto& [left, right] : from.merges) merges.push_back({left, right});
  for (const added_token& token : from.added)
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.left_strip},
                     {"rstrip", token.right_strip},
                     {"normalized", token.normalized},
                     {"special", token.special}});

  const json bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", from.words}};
  json words = bytes;
  if (from.digits_alone) {
    const json digits = {{"type", "Digits"}, {"individual_digits", true}};
    words = {{"type", "Sequence"}, {"pretokenizers", {digits, bytes}}};
  }

  // One text, and a second one of another type behind it.
  json template_of_one = json::array(), template_of_two = json::array(), special = json::object();
  const auto put = [&](bool wanted, std::optional<token_id> id, int type) {
    if (!wanted || !id) return;
    const std::string& name = from.tokens[std::size_t(*id)];
    special[name] = {{"id", name}, {"ids", {*id}}, {"tokens", {name}}};
    const json item = {{"SpecialToken", {{"id", name}, {"type_id", type}}}};
    if (type == 0) template_of_one.push_back(item);
    template_of_two.push_back(item);
  };
  for (const int type : {0, 1}) {
    put(from.begins, from.bos, type);
    const json item = {{"Sequence", {{"id", type == 0 ? "A" : "B"}, {"type_id", type}}}};
    if (type == 0) template_of_one.push_back(item);
    template_of_two.push_back(item);
    put(from.ends, from.eos, type);
  }
  json around;
  if (!special.empty())
    around = {{"type", "TemplateProcessing"},
              {"single", template_of_one},
              {"pair", template_of_two},
              {"special_tokens", special}};

  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", words},
          {"post_processor", around},
          {"decoder", bytes},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocabulary},
            {"merges", merges}}}};
}

MOR1E_INLINE std::map<std::string, std::string> files_of(const byte_level_tokenizer& from) {
  // The class that takes tokenizer.json as it is; those named after a model bring their own rules.
  nlohmann::json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  nlohmann::json generation = nlohmann::json::object();
  // Transformers cuts the tokens named here out of every text, so only those are named that are cut out anyway.
  const auto name = [&](const char* role, std::optional<token_id> id, bool of_generation) {
    if (!id) return;
    if (of_generation) generation[std::string(role) + "_id"] = *id;
    if (std::any_of(from.added.begin(), from.added.end(), [&](const added_token& token) { return token.id == id; }))
      config[role] = from.tokens[std::size_t(*id)];
  };
  name("bos_token", from.bos, true);
  name("eos_token", from.eos, true);
  name("pad_token", from.padding, true);
  name("unk_token", from.unknown, false);
  if (from.context) config["model_max_length"] = *from.context;
  if (!from.chat_template.empty()) config["chat_template"] = from.chat_template;
  return {{"tokenizer.json", tokenizer_json_of(from).dump()},
          {"tokenizer_config.json", config.dump(2)},
          {"generation_config.json", generation.dump(2)}};
}

MOR1E_INLINE tokenizer_parts parts_of(const byte_level_tokenizer& from, const std::string& where) {
  tokenizer_parts parts = parts_from_json(tokenizer_json_of(from), where);
  parts.origin = where;
  parts.bos = from.bos;
  parts.eos = from.eos;
  return parts;
}

}  // namespace mor1e::texts
