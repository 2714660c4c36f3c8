// A tiny llama as a GGUF file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/gguf_writer.hpp"

namespace mor1e::testing {

/// A llama of one layer, hidden 8, two query heads of 4, one key head; row r of a matrix holds 100 m + r in every
/// column.
inline gguf_writer small_llama(const std::string& architecture = "llama") {
  gguf_writer out;
  out.text("general.architecture", architecture)
      .u32("llama.embedding_length", 8)
      .u32("llama.feed_forward_length", 16)
      .u32("llama.block_count", 1)
      .u32("llama.attention.head_count", 2)
      .u32("llama.attention.head_count_kv", 1)
      .u32("llama.context_length", 64)
      .f32("llama.attention.layer_norm_rms_epsilon", 1e-5f)
      .u32("tokenizer.ggml.eos_token_id", 2);
  const auto rows = [&](const char* name, std::uint64_t n, std::uint64_t cols, float base) {
    std::vector<float> values;
    for (std::uint64_t r = 0; r < n; ++r) values.insert(values.end(), cols, base + float(r));
    out.floats(name, {cols, n}, values);
  };
  rows("token_embd.weight", 5, 8, 100);
  rows("blk.0.attn_q.weight", 8, 8, 200);
  rows("blk.0.attn_k.weight", 4, 8, 300);
  rows("blk.0.attn_v.weight", 4, 8, 400);
  out.floats("blk.0.attn_q.bias", {8}, {0, 1, 2, 3, 4, 5, 6, 7});
  out.floats("output_norm.weight", {8}, {1, 2, 3, 4, 5, 6, 7, 8});
  return out;
}

}  // namespace mor1e::testing
