// A small tokenizer in the manner of Llama-2.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace mor1e::testing {

/// The tokenizer.json of `<s>` and a text whose words begin with a space, also the first. `style`: "prepend" (by the
/// normalizer), or the `prepend_scheme` of Metaspace. Its characters are those of "Question: y?\nAnswer:" and some
/// more; tokens are below 211.
inline nlohmann::json sentencepiece_json(const std::string& style) {
  using nlohmann::json;
  const std::string space = "\u2581";
  json vocab = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}, {"<0x0A>", 3}};
  const auto add = [&](const std::string& token) {
    if (!vocab.contains(token)) vocab[token] = vocab.size();
  };
  add(space);
  for (const char c : std::string("ABCDQAnswer:tuioyhl?.,abcdfgkmpxz0123456789")) add(std::string(1, c));
  json merges = json::array();
  for (const char* c : {"A", "B", "y", "\u2581"}) merges.push_back({space, c}), add(space + c);
  const json replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", space}};
  json normalizer, pre_tokenizer;
  if (style == "prepend")
    normalizer = {{"type", "Sequence"}, {"normalizers", {{{"type", "Prepend"}, {"prepend", space}}, replace}}};
  else
    pre_tokenizer = {{"type", "Metaspace"}, {"replacement", space}, {"prepend_scheme", style}, {"split", false}};
  json added = json::array();
  for (const char* token : {"<unk>", "<s>", "</s>"})
    added.push_back({{"id", vocab[token]},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  const json back = {{"type", "Replace"}, {"pattern", {{"String", space}}}, {"content", " "}};
  const json begin = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const auto sequence = [](const char* id, int type) { return json{{"Sequence", {{"id", id}, {"type_id", type}}}}; };
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", normalizer},
          {"pre_tokenizer", pre_tokenizer},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", json::array({begin, sequence("A", 0)})},
            {"pair", json::array({begin, sequence("A", 0), sequence("B", 1)})},
            {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {1}}, {"tokens", {"<s>"}}}}}}}},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders", json::array({back,
                                      {{"type", "ByteFallback"}},
                                      {{"type", "Fuse"}},
                                      {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}})}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", "<unk>"},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"ignore_merges", false},
            {"vocab", vocab},
            {"merges", merges}}}};
}

}  // namespace mor1e::testing
