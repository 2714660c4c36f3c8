// Configurations of models, as config.json spells them.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/core/rotary_frequencies.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e::models {

/// Decoders of RMSNorm, rotary grouped-query attention and a gated MLP: Llama-2, Mistral, Yi, TinyLlama, SmolLM2,
/// Gemma.
struct llama_config {
  std::string model_type;
  int hidden_size = 0;
  int intermediate_size = 0;
  int layers = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int vocabulary = 0;
  double norm_eps = 1e-5;
  rotary_frequencies rope;
  double rope_factor = 1;  ///< on cosines and sines (YaRN's attention factor)
  int window = 0;          ///< sliding window in tokens; 0: none
  int context = 2048;      ///< longest sequence the positions are made for
  bool tied = false;       ///< the head is the embedding table
  bool attention_bias = false;
  bool mlp_bias = false;
  double norm_offset = 0;      ///< added to the weights of norms
  double embedding_scale = 1;  ///< on what the table gives the first block
};

/// Phi-2: LayerNorm, one for attention and MLP, which stand side by side; rotary on a part of each head; biases.
struct phi_config {
  int hidden_size = 0;
  int intermediate_size = 0;
  int layers = 0;
  int heads = 0;
  int kv_heads = 0;
  int vocabulary = 0;
  double norm_eps = 1e-5;
  rotary_frequencies rope;
  double rope_factor = 1;
  int context = 2048;
  bool tied = false;
};

/// Bloom: LayerNorm, also on the embedding; ALiBi; heads of q, k and v interleaved; biases.
struct bloom_config {
  int hidden_size = 0;
  int layers = 0;
  int heads = 0;
  int vocabulary = 0;
  double norm_eps = 1e-5;
  int context = 2048;
  bool tied = true;
};

/// BERT encoders, MiniLM among them.
struct bert_config {
  int hidden_size = 0;
  int intermediate_size = 0;
  int layers = 0;
  int heads = 0;
  int vocabulary = 0;
  int context = 512;
  int types = 2;
  double norm_eps = 1e-12;
};

/// nomic-embed-text: rotary positions, post-norm, a gated MLP, biases in the norms alone.
struct nomic_bert_config {
  int hidden_size = 0;
  int intermediate_size = 0;
  int layers = 0;
  int heads = 0;
  int vocabulary = 0;
  int context = 2048;
  int types = 2;
  double norm_eps = 1e-12;
  rotary_frequencies rope;
};

/// Old and new spellings (`rope_scaling` or `rope_parameters`, `torch_dtype` or `dtype`), with the defaults of the
/// model type. Every key that changes the computation is computed or refused; see `io::json_fields`. Throws `io_error`
/// naming the key for a missing field and for a value of the wrong kind or range, and `value_error` for what we do not
/// compute: an activation, a kind of rope scaling, a key of the rope, attention or norm families that is not known.
llama_config read_llama_config(const nlohmann::json& config, const std::string& where);
llama_config read_gemma_config(const nlohmann::json& config, const std::string& where);
phi_config read_phi_config(const nlohmann::json& config, const std::string& where);
bloom_config read_bloom_config(const nlohmann::json& config, const std::string& where);
nomic_bert_config read_nomic_bert_config(const nlohmann::json& config, const std::string& where);
bert_config read_bert_config(const nlohmann::json& config, const std::string& where);

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/config.ipp"
#endif
