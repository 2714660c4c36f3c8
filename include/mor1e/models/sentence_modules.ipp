// Definitions of models/sentence_modules.hpp.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/io/json_fields.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/sentence_modules.hpp"

namespace mor1e::models {

namespace detail {

inline sentence_pooling read_pooling(const std::filesystem::path& path) {
  const nlohmann::json content = io::read_json(path);
  io::json_fields in(content, path.string());
  for (const char* other : {"pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
                            "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"})
    in.expect(other, {});
  in.refuse_unless(in.flag_or("include_prompt", true), "'include_prompt' is false, which is not supported");
  in.ignore({"word_embedding_dimension", "embedding_dimension"});
  bool cls = in.flag_or("pooling_mode_cls_token", false), mean = in.flag_or("pooling_mode_mean_tokens", true);
  if (in.has("pooling_mode")) {  // newer files have a word for the flags
    const std::string mode = in.string("pooling_mode");
    cls = mode == "cls", mean = mode == "mean";
    in.refuse_unless(cls || mean, "'pooling_mode' '", mode, "' is not supported (mean and cls are)");
  }
  in.refuse_unless(cls != mean, cls ? "means beside [CLS] are not supported" : "no pooling is chosen");
  in.finish();
  return cls ? sentence_pooling::cls : sentence_pooling::mean;
}

/// The modules must be a transformer, a pooling and at most a normalisation, in this order.
inline void read_module_list(const std::filesystem::path& folder, sentence_modules& out) {
  const std::filesystem::path path = folder / "modules.json";
  const nlohmann::json list = io::read_json(path);
  require<io_error>(list.is_array(), path.string(), ": is not a list of modules");
  out.normalise = false;
  std::vector<std::string> met;
  for (const nlohmann::json& item : list) {
    io::json_fields module(item, text(path.string(), ": module ", met.size()));
    const std::string type = module.string("type"), name = type.substr(type.rfind('.') + 1);
    constexpr std::string_view order[] = {"Transformer", "Pooling", "Normalize"};
    module.refuse_unless(met.size() < std::size(order) && name == order[met.size()], "'", type,
                         "' is not supported here (Transformer, Pooling, Normalize are, in this order)");
    if (name == "Pooling") out.pooling = read_pooling(folder / module.string("path") / "config.json");
    out.normalise |= name == "Normalize";
    met.push_back(name);
  }
  require<value_error>(met.size() >= 2, path.string(), ": has no pooling");
}

/// Calls f with the fields of the file, if it is there.
template <class F>
void if_there(const std::filesystem::path& path, F&& f) {
  std::error_code unreadable;  // counts as missing
  if (!std::filesystem::exists(path, unreadable)) return;
  const nlohmann::json content = io::read_json(path);
  f(io::json_fields(content, path.string()));
}

}  // namespace detail

MOR1E_INLINE std::string sentence_modules::label() const {
  std::string out = pooling == sentence_pooling::cls ? "cls" : normalise ? "" : "mean";
  if (!normalise) out += ", not normalised";
  return out;
}

MOR1E_INLINE sentence_modules read_sentence_modules(const std::filesystem::path& folder) {
  std::error_code unreadable;  // counts as missing
  sentence_modules out;
  if (std::filesystem::exists(folder / "modules.json", unreadable)) detail::read_module_list(folder, out);
  detail::if_there(folder / "sentence_bert_config.json", [&](io::json_fields in) {
    out.max_length = in.integer_or("max_seq_length", 0, 1);
    out.lower_case = in.flag_or("do_lower_case", false);
  });
  // Where nothing else is said, the tokenizer's own limit counts; files without one have a number beyond any text.
  if (out.max_length == 0)
    detail::if_there(folder / "tokenizer_config.json", [&](io::json_fields in) {
      const double most = in.number_or("model_max_length", 0, 0);
      if (most < double(io::largest_size)) out.max_length = index_t(most);
    });
  detail::if_there(folder / "config_sentence_transformers.json", [&](io::json_fields in) {
    const std::string prompt = in.string_or("default_prompt_name", "");
    in.refuse_unless(prompt.empty(), "the default prompt '", prompt,
                     "' is not put before texts by itself; delete 'default_prompt_name' and use --prefix");
  });
  return out;
}

}  // namespace mor1e::models
