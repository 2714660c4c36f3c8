// The tokenizer.json of a fixture as the metadata of a GGUF file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "io/gguf_writer.hpp"

namespace mor1e::testing {

inline void put_strings(gguf_writer& to, std::string_view key, const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) bytes += gguf_writer::raw_text(value);
  to.array(key, 8, values.size(), bytes);
}

/// Integers or floats, as the format calls them by `kind`.
template <class T>
void put_numbers(gguf_writer& to, std::string_view key, std::uint32_t kind, const std::vector<T>& values) {
  std::string bytes;
  for (const T value : values) bytes += gguf_writer::raw(value);
  to.array(key, kind, values.size(), bytes);
}
inline void put_integers(gguf_writer& to, std::string_view key, const std::vector<std::int32_t>& values) {
  put_numbers(to, key, 5, values);
}
inline void put_floats(gguf_writer& to, std::string_view key, const std::vector<float>& values) {
  put_numbers(to, key, 6, values);
}

/// The vocabulary of a tokenizer.json that was made of a SentencePiece model, as that model's pieces: the earlier a
/// token is merged, the higher its score.
inline void put_sentence_piece(gguf_writer& to, const nlohmann::json& tokenizer) {
  const auto& model = tokenizer.at("model");
  std::vector<std::string> tokens(model.at("vocab").size());
  for (const auto& [token, id] : model.at("vocab").items()) tokens.at(id.get<std::size_t>()) = token;
  std::vector<float> scores(tokens.size(), -1e6f);
  std::vector<std::int32_t> types(tokens.size(), 1);
  float score = 0;
  std::string last;
  for (const auto& merge : model.at("merges")) {
    const std::string token = merge.at(0).get<std::string>() + merge.at(1).get<std::string>();
    if (token != last) scores.at(model.at("vocab").at(token).get<std::size_t>()) = score--;
    last = token;
  }
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i].size() == 6 && tokens[i].starts_with("<0x")) types[i] = 6;
  for (const auto& token : tokenizer.at("added_tokens")) {
    const bool unknown = token.at("content") == model.at("unk_token");
    types.at(token.at("id").get<std::size_t>()) = unknown ? 2 : token.at("special") == true ? 3 : 4;
  }
  to.text("tokenizer.ggml.model", "llama").text("tokenizer.ggml.pre", "default");
  put_strings(to, "tokenizer.ggml.tokens", tokens);
  put_floats(to, "tokenizer.ggml.scores", scores);
  put_integers(to, "tokenizer.ggml.token_type", types);
}

/// Vocabulary, merges and added tokens of a byte-level BPE, as converters write them; `pre` names its pre-tokenizer.
/// Returns the number of tokens.
inline std::uint32_t put_tokenizer(gguf_writer& to, const nlohmann::json& tokenizer, std::string_view pre) {
  std::vector<std::string> tokens, merges;
  std::vector<std::int32_t> types;
  const auto put = [&](const std::string& token, std::size_t id, std::int32_t type) {
    if (id >= tokens.size()) tokens.resize(id + 1), types.resize(id + 1);
    tokens[id] = token;
    types[id] = type;
  };
  for (const auto& [token, id] : tokenizer.at("model").at("vocab").items()) put(token, id.get<std::size_t>(), 1);
  for (const auto& token : tokenizer.at("added_tokens"))
    put(token.at("content").get<std::string>(), token.at("id").get<std::size_t>(), token.at("special") == true ? 3 : 4);
  for (const auto& merge : tokenizer.at("model").at("merges"))
    merges.push_back(merge.is_string() ? merge.get<std::string>()
                                       : merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>());
  to.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", pre);
  put_strings(to, "tokenizer.ggml.tokens", tokens);
  put_integers(to, "tokenizer.ggml.token_type", types);
  put_strings(to, "tokenizer.ggml.merges", merges);
  return std::uint32_t(tokens.size());
}

}  // namespace mor1e::testing
