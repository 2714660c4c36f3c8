// Definitions of models/generation_config.hpp.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "mor1e/io/json_fields.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/generation_config.hpp"

namespace mor1e::models {

namespace detail {

/// `eos_token_id`: a token or a list of tokens.
inline std::vector<std::int32_t> read_end_tokens(const nlohmann::json& config, const std::string& where) {
  std::vector<std::int32_t> out;
  io::json_fields in(config, where);
  if (!in.has("eos_token_id")) return out;
  const nlohmann::json& stored = in.value("eos_token_id");
  for (const nlohmann::json& id : stored.is_array() ? stored : nlohmann::json::array({stored})) {
    const nlohmann::json one = {{"eos_token_id", id}};
    out.push_back(std::int32_t(io::json_fields(one, where).integer("eos_token_id", 0)));
  }
  return out;
}

inline void check_generation(io::json_fields& in) {
  constexpr std::string_view shaping[] = {"penalty", "beam",     "bias",     "suppress",  "forced",       "bad_words",
                                          "ngram",   "min_",     "max_time", "watermark", "guidance",     "typical",
                                          "cutoff",  "constrai", "decay",    "sequence_", "stop_strings", "sequences"};
  for (const char* key : {"repetition_penalty", "encoder_repetition_penalty", "length_penalty", "num_beams",
                          "num_beam_groups", "num_return_sequences", "typical_p", "guidance_scale"})
    in.expect(key, {1, 1.0});
  for (const char* key : {"diversity_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "min_length",
                          "min_new_tokens", "min_p", "epsilon_cutoff", "eta_cutoff", "penalty_alpha"})
    in.expect(key, {0, 0.0});
  in.finish(shaping);
}

}  // namespace detail

MOR1E_INLINE std::vector<std::int32_t> end_tokens(const io::checkpoint& from, const texts::tokenizer& tokenizer) {
  const std::filesystem::path path = from.path / "generation_config.json";
  std::vector<std::int32_t> ends;
  std::error_code unreadable;  // counts as missing
  if (std::filesystem::exists(path, unreadable)) {
    const nlohmann::json content = io::read_json(path);
    io::json_fields in(content, path.string());
    ends = detail::read_end_tokens(content, path.string());
    detail::check_generation(in);
  }
  if (ends.empty()) ends = detail::read_end_tokens(from.config, from.path.string() + ": config");
  if (tokenizer.eos()) ends.push_back(*tokenizer.eos());
  return ends;
}

}  // namespace mor1e::models
