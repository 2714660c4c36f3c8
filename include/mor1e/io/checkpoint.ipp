#pragma once

#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/gguf_weights.hpp"
#include "mor1e/io/safetensors_weights.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::io {

namespace detail {

/// Throws unless `path` is something a model can be read from.
inline void require_model(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto kind = std::filesystem::status(path, ignored).type();
  using std::filesystem::file_type;
  require<io_error>(kind != file_type::not_found, "no model at ", path.string(), ": no such file or folder");
  require<io_error>(kind == file_type::directory || (kind == file_type::regular && path.extension() == ".gguf"),
                    "no model at ", path.string(), ": neither a folder nor a .gguf file");
  require<io_error>(kind == file_type::regular || std::filesystem::is_regular_file(path / "config.json", ignored),
                    "no model at ", path.string(), ": the folder holds no config.json");
}

}  // namespace detail

MOR1E_INLINE nlohmann::json config_of(const gguf_file& file) {
  const auto integer = [&](const char* key, std::int64_t otherwise) {
    return file.contains(key) ? file.integer(key) : otherwise;
  };
  const std::int64_t hidden = file.integer("llama.embedding_length"),
                     heads = file.integer("llama.attention.head_count");
  require<io_error>(heads > 0, file.path().string(), ": llama.attention.head_count ", heads, " is not positive");
  nlohmann::json config;
  config["model_type"] = "llama";
  config["architectures"] = {"LlamaForCausalLM"};
  config["hidden_size"] = hidden;
  config["intermediate_size"] = file.integer("llama.feed_forward_length");
  config["num_hidden_layers"] = file.integer("llama.block_count");
  config["num_attention_heads"] = heads;
  config["num_key_value_heads"] = integer("llama.attention.head_count_kv", heads);
  config["head_dim"] = integer("llama.attention.key_length", hidden / heads);
  // The embedding counts, not the vocabulary: it may be padded.
  config["vocab_size"] = file.at("token_embd.weight").extents.rows();
  config["hidden_act"] = "silu";
  config["rms_norm_eps"] = file.number("llama.attention.layer_norm_rms_epsilon");
  config["rope_theta"] = file.contains("llama.rope.freq_base") ? file.number("llama.rope.freq_base") : 10000.0;
  config["max_position_embeddings"] = file.integer("llama.context_length");
  config["tie_word_embeddings"] = file.find("output.weight") == nullptr;
  config["attention_bias"] = file.find("blk.0.attn_q.bias") != nullptr;
  config["mlp_bias"] = file.find("blk.0.ffn_up.bias") != nullptr;
  if (file.contains("tokenizer.ggml.bos_token_id"))
    config["bos_token_id"] = file.integer("tokenizer.ggml.bos_token_id");
  if (file.contains("tokenizer.ggml.eos_token_id"))
    config["eos_token_id"] = file.integer("tokenizer.ggml.eos_token_id");
  if (file.contains("llama.rope.scaling.type") && file.string("llama.rope.scaling.type") != "none") {
    config["rope_scaling"] = {{"rope_type", file.string("llama.rope.scaling.type")}};
    if (file.contains("llama.rope.scaling.factor"))
      config["rope_scaling"]["factor"] = file.number("llama.rope.scaling.factor");
  }
  return config;
}

MOR1E_INLINE checkpoint open_checkpoint(const std::filesystem::path& path) {
  detail::require_model(path);
  checkpoint out;
  out.path = path;
  if (std::filesystem::is_directory(path)) {
    out.config = read_json(path / "config.json");
    require<io_error>(out.config.is_object(), (path / "config.json").string(), ": is not a JSON object");
    out.weights = std::make_unique<safetensors_weights>(path);
  } else {
    auto weights = std::make_unique<gguf_weights>(gguf_file(path));
    out.config = config_of(weights->file());
    out.weights = std::move(weights);
  }
  return out;
}

MOR1E_INLINE std::string checkpoint_hash(const std::filesystem::path& path) {
  detail::require_model(path);
  if (!std::filesystem::is_directory(path)) return sha256_of_file(path);
  sha256 hash;
  for (const auto& file : safetensors_weight_files(path)) hash.update_file(file);
  return hash.hex();
}

MOR1E_INLINE const std::string& checkpoint::hash() const {
  if (hash_.empty()) hash_ = checkpoint_hash(path);
  return hash_;
}

}  // namespace mor1e::io
