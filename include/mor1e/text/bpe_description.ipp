#pragma once

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "mor1e/text/bpe_description.hpp"
#include "mor1e/text/tokenizer_json.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

MOR1E_INLINE std::vector<std::pair<std::string, std::string>> merges_by_score(const std::vector<std::string>& tokens,
                                                                              const std::vector<double>& scores) {
  struct merge {
    double score;
    std::string_view left, right;
    token_id left_id, right_id;
  };
  std::unordered_map<std::string_view, token_id> ids;
  for (std::size_t i = 0; i < tokens.size(); ++i) ids.emplace(tokens[i], token_id(i));
  std::vector<merge> all;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view token = tokens[i];
    const std::size_t first = all.size();
    for (std::size_t at = 0; at < token.size();) {
      at += sequence_at(token, at).length;
      const auto left = ids.find(token.substr(0, at)), right = ids.find(token.substr(at));
      if (at < token.size() && left != ids.end() && right != ids.end())
        all.push_back({scores[i], left->first, right->first, left->second, right->second});
    }
    std::sort(all.begin() + std::ptrdiff_t(first), all.end(), [](const merge& a, const merge& b) {
      return a.left_id != b.left_id ? a.left_id < b.left_id : a.right_id < b.right_id;
    });
  }
  std::stable_sort(all.begin(), all.end(), [](const merge& a, const merge& b) { return a.score > b.score; });
  std::vector<std::pair<std::string, std::string>> out;
  out.reserve(all.size());
  for (const merge& m : all) out.emplace_back(m.left, m.right);
  return out;
}

MOR1E_INLINE nlohmann::json tokenizer_json_of(const bpe_description& from) {
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

  const auto steps_of = [](const char* type, const char* name, const std::vector<json>& steps) {
    return steps.empty() ? json() : steps.size() == 1 ? steps[0] : json{{"type", type}, {name, steps}};
  };
  std::vector<json> normalizers, cuts, decoders;
  const bool pieces = from.letters == bpe_description::alphabet::sentence_piece;
  if (pieces) {
    const std::string space = "\u2581";
    if (from.space_before) normalizers.push_back({{"type", "Prepend"}, {"prepend", space}});
    normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", space}});
    decoders = {{{"type", "Replace"}, {"pattern", {{"String", space}}}, {"content", " "}},
                {{"type", "ByteFallback"}},
                {{"type", "Fuse"}}};
    if (from.space_before) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  } else {
    if (from.digits_alone) cuts.push_back({{"type", "Digits"}, {"individual_digits", true}});
    if (!from.cut.empty())
      cuts.push_back(
          {{"type", "Split"}, {"pattern", {{"Regex", from.cut}}}, {"behavior", "Isolated"}, {"invert", false}});
    cuts.push_back(
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", from.words}});
    decoders = {cuts.back()};
  }
  json unknown;
  if (pieces && from.unknown) unknown = from.tokens[std::size_t(*from.unknown)];

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
          {"normalizer", steps_of("Sequence", "normalizers", normalizers)},
          {"pre_tokenizer", steps_of("Sequence", "pretokenizers", cuts)},
          {"post_processor", around},
          {"decoder", steps_of("Sequence", "decoders", decoders)},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", unknown},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", pieces},
            {"byte_fallback", pieces},
            {"ignore_merges", false},
            {"vocab", vocabulary},
            {"merges", merges}}}};
}

MOR1E_INLINE std::map<std::string, std::string> files_of(const bpe_description& from) {
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

MOR1E_INLINE tokenizer_parts parts_of(const bpe_description& from, const std::string& where) {
  tokenizer_parts parts = parts_from_json(tokenizer_json_of(from), where);
  parts.origin = where;
  parts.bos = from.bos;
  parts.eos = from.eos;
  return parts;
}

}  // namespace mor1e::texts
