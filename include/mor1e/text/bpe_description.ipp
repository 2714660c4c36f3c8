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
  const bool pieces = from.letters == bpe_description::alphabet::sentence_piece;
  json model = json::parse(R"({"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                               "end_of_word_suffix": null, "ignore_merges": false, "vocab": {}, "merges": []})");
  if (pieces && from.unknown) model["unk_token"] = from.tokens[std::size_t(*from.unknown)];
  model["fuse_unk"] = model["byte_fallback"] = pieces;
  json &vocabulary = model["vocab"], &merges = model["merges"];
  for (std::size_t i = 0; i < from.tokens.size(); ++i) vocabulary[from.tokens[i]] = i;
  for (const auto& [left, right] : from.merges) merges.push_back(std::vector<std::string>{left, right});

  json added = json::array();
  for (const added_token& token : from.added) {
    json& to = added.emplace_back();
    to["id"] = token.id;
    to["content"] = token.content;
    to["single_word"] = token.single_word;
    to["lstrip"] = token.left_strip;
    to["rstrip"] = token.right_strip;
    to["normalized"] = token.normalized;
    to["special"] = token.special;
  }

  json normalizers = json::array(), cuts = json::array(), decoders = json::array();
  if (pieces) {
    if (from.space_before) normalizers.push_back(json::parse(R"({"type": "Prepend", "prepend": "\u2581"})"));
    normalizers.push_back(json::parse(R"({"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"})"));
    decoders = json::parse(R"([{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                               {"type": "ByteFallback"}, {"type": "Fuse"}])");
    if (from.space_before)
      decoders.push_back(json::parse(R"({"type": "Strip", "content": " ", "start": 1, "stop": 0})"));
  } else {
    if (from.digits_alone) cuts.push_back(json::parse(R"({"type": "Digits", "individual_digits": true})"));
    if (!from.cut.empty()) {
      cuts.push_back(json::parse(R"({"type": "Split", "behavior": "Isolated", "invert": false})"));
      cuts.back()["pattern"]["Regex"] = from.cut;
    }
    cuts.push_back(json::parse(R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true})"));
    cuts.back()["use_regex"] = from.words;
    decoders.push_back(cuts.back());
  }
  // One step stands alone, several are a sequence.
  const auto steps = [](const char* name, json& all) {
    if (all.size() < 2) return all.empty() ? json() : all[0];
    json out;
    out["type"] = "Sequence";
    out[name] = std::move(all);
    return out;
  };

  // One text, and a second one of another type behind it.
  json around = json::parse(R"({"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}})");
  const auto put = [&](const char* kind, const std::string& name, int type) {
    json item;
    item[kind]["id"] = name;
    item[kind]["type_id"] = type;
    if (type == 0) around["single"].push_back(item);
    around["pair"].push_back(std::move(item));
  };
  const auto put_special = [&](bool wanted, std::optional<token_id> id, int type) {
    if (!wanted || !id) return;
    const std::string& name = from.tokens[std::size_t(*id)];
    json& special = around["special_tokens"][name];
    special["id"] = name;
    special["ids"] = std::vector<token_id>{*id};
    special["tokens"] = std::vector<std::string>{name};
    put("SpecialToken", name, type);
  };
  for (const int type : {0, 1}) {
    put_special(from.begins, from.bos, type);
    put("Sequence", type == 0 ? "A" : "B", type);
    put_special(from.ends, from.eos, type);
  }

  json out = json::parse(R"({"version": "1.0", "truncation": null, "padding": null})");
  out["added_tokens"] = std::move(added);
  out["normalizer"] = steps("normalizers", normalizers);
  out["pre_tokenizer"] = steps("pretokenizers", cuts);
  out["post_processor"] = around["special_tokens"].empty() ? json() : std::move(around);
  out["decoder"] = steps("decoders", decoders);
  out["model"] = std::move(model);
  return out;
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
