// The tokenizer.json of a fixture as the metadata of a GGUF file.
#pragma once

#include <cstdint>
#include <cstring>
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

inline void put_integers(gguf_writer& to, std::string_view key, const std::vector<std::int32_t>& values) {
  std::string bytes;
  for (const std::int32_t value : values) bytes += gguf_writer::raw(value);
  to.array(key, 5, values.size(), bytes);
}

inline void put_floats(gguf_writer& to, std::string_view key, const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) bytes += gguf_writer::raw(value);
  to.array(key, 6, values.size(), bytes);
}

/// The pieces of a SentencePiece model, the bytes of its file given: text, score and type of each. The file is a
/// protobuf message whose field 1 is a piece, of which field 1 is the text, 2 the score, 3 the type (1 where it is not
/// there).
inline void put_sentence_piece(gguf_writer& to, std::string_view model) {
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> types;
  const auto number = [](std::string_view& from) {
    std::uint64_t out = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = std::uint8_t(from[0]);
      from.remove_prefix(1);
      out |= std::uint64_t(byte & 127) << shift;
      if (byte < 128) return out;
    }
  };
  // f(field, value) with the bytes of the value, or its number.
  const auto walk = [&](std::string_view message, const auto& f) {
    while (!message.empty()) {
      const std::uint64_t tag = number(message), kind = tag & 7;
      const std::uint64_t varint = kind == 0 || kind == 2 ? number(message) : 0;
      const std::size_t length = kind == 2 ? varint : kind == 5 ? 4 : kind == 1 ? 8 : 0;
      f(tag >> 3, message.substr(0, length), varint);
      message.remove_prefix(length);
    }
  };
  walk(model, [&](std::uint64_t field, std::string_view piece, std::uint64_t) {
    if (field != 1) return;
    tokens.emplace_back(), scores.push_back(0), types.push_back(1);
    walk(piece, [&](std::uint64_t of, std::string_view bytes, std::uint64_t value) {
      if (of == 1) tokens.back() = bytes;
      if (of == 2) std::memcpy(&scores.back(), bytes.data(), 4);
      if (of == 3) types.back() = std::int32_t(value);
    });
  });
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
