#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "mor1e/io/gguf_dequantise.hpp"
#include "mor1e/io/gguf_weights.hpp"

namespace mor1e::io {

MOR1E_INLINE std::string hugging_face_name(std::string_view gguf_name) {
  constexpr std::pair<std::string_view, std::string_view> outer[] = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"output.weight", "lm_head.weight"},
  };
  for (const auto& [gguf, hugging_face] : outer)
    if (gguf_name == gguf) return std::string(hugging_face);

  constexpr std::pair<std::string_view, std::string_view> inner[] = {
      {"attn_norm", "input_layernorm"}, {"ffn_norm", "post_attention_layernorm"},
      {"attn_q", "self_attn.q_proj"},   {"attn_k", "self_attn.k_proj"},
      {"attn_v", "self_attn.v_proj"},   {"attn_output", "self_attn.o_proj"},
      {"ffn_gate", "mlp.gate_proj"},    {"ffn_up", "mlp.up_proj"},
      {"ffn_down", "mlp.down_proj"},
  };
  // blk.LAYER.MODULE.weight or .bias
  constexpr std::string_view prefix = "blk.";
  const std::size_t layer_end = gguf_name.find('.', prefix.size()), module_end = gguf_name.rfind('.');
  if (gguf_name.substr(0, prefix.size()) != prefix || layer_end == std::string_view::npos || module_end <= layer_end)
    return "";
  const std::string_view layer = gguf_name.substr(prefix.size(), layer_end - prefix.size());
  const std::string_view module = gguf_name.substr(layer_end + 1, module_end - layer_end - 1);
  const std::string_view parameter = gguf_name.substr(module_end);
  if (layer.empty() || layer.find_first_not_of("0123456789") != std::string_view::npos ||
      (parameter != ".weight" && parameter != ".bias"))
    return "";
  for (const auto& [gguf, hugging_face] : inner)
    if (module == gguf) return text("model.layers.", layer, ".", hugging_face, parameter);
  return "";
}

MOR1E_INLINE gguf_weights::gguf_weights(gguf_file file) : file_(std::move(file)) {
  const std::string where = file_.path().string();
  const std::string architecture = file_.string("general.architecture");
  require<io_error>(architecture == "llama", where, ": architecture '", architecture, "' is not supported, llama is");
  const std::int64_t q_heads = file_.integer("llama.attention.head_count");
  const bool grouped = file_.contains("llama.attention.head_count_kv");
  const std::int64_t k_heads = grouped ? file_.integer("llama.attention.head_count_kv") : q_heads;
  require<io_error>(q_heads > 0 && k_heads > 0, where, ": head counts ", q_heads, " and ", k_heads,
                    " are not positive");

  for (const auto& stored : file_.tensors()) {
    const std::string name = hugging_face_name(stored.name);
    // Dropping what is not understood (rope_freqs, experts, ...) would give another model, silently.
    require<io_error>(!name.empty(), where, ": tensor '", stored.name, "' has no place in a llama model");
    place found{&stored, 0};
    const bool q = name.find(".q_proj.") != std::string::npos, k = name.find(".k_proj.") != std::string::npos;
    if (q || k) {
      // A bias is a column of as many rows as the weight.
      const index_t rows = stored.extents.rank() == 1 ? stored.extents[0] : stored.extents.rows();
      const index_t heads = q ? q_heads : k_heads;
      require<io_error>(rows % (2 * heads) == 0, where, ": tensor '", stored.name, "': ", rows, " rows are no ", heads,
                        " heads of even size");
      found.head_rows = rows / heads;
      if (file_.contains("llama.rope.dimension_count")) {
        const std::int64_t rotary = file_.integer("llama.rope.dimension_count");
        require<io_error>(rotary == found.head_rows, where, ": rotary embedding of ", rotary, " of ", found.head_rows,
                          " dimensions is not supported");
      }
    }
    places_.emplace(name, found);
  }
}

MOR1E_INLINE std::vector<std::string> gguf_weights::names() const {
  std::vector<std::string> out;
  for (const auto& [name, found] : places_) out.push_back(name);
  return out;
}

MOR1E_INLINE const gguf_weights::place& gguf_weights::at(std::string_view name) const {
  const auto found = places_.find(name);
  require<io_error>(found != places_.end(), file_.path().string(), ": no tensor '", name, "'");
  return found->second;
}

MOR1E_INLINE const float* gguf_weights::mapped_f32(std::string_view name) const {
  const place& found = at(name);
  const std::byte* data = file_.bytes(*found.stored).data();
  if (found.stored->type != ggml_type::f32 || found.head_rows != 0 ||
      reinterpret_cast<std::uintptr_t>(data) % alignof(float) != 0)
    return nullptr;
  return reinterpret_cast<const float*>(data);
}

template <class T>
void gguf_weights::read_as(std::string_view name, T* out) const {
  const place& found = at(name);
  const gguf_tensor& stored = *found.stored;
  const std::string where = text(file_.path().string(), ": tensor '", stored.name, "'");
  const std::byte* source = file_.bytes(stored).data();
  const bool bias = found.head_rows > 0 && stored.extents.rank() == 1;
  const index_t cols = bias ? 1 : stored.extents.cols(), size = stored.extents.size();
  if (size == 0) return;
  const index_t rows = size / cols;
  const std::size_t row_bytes = stored.bytes / static_cast<std::size_t>(rows);

  std::vector<float> decoded(std::is_same_v<T, float> ? 0 : static_cast<std::size_t>(cols));
  for (index_t row = 0; row < rows; ++row) {
    index_t from = row;
    if (const index_t n = found.head_rows) {
      const index_t in_head = row % n, half = in_head / (n / 2), j = in_head % (n / 2);
      from = row - in_head + 2 * j + half;
    }
    if constexpr (std::is_same_v<T, float>) {
      dequantise(stored.type, source + from * row_bytes, cols, out + row * cols, where);
    } else {
      dequantise(stored.type, source + from * row_bytes, cols, decoded.data(), where);
      std::copy(decoded.begin(), decoded.end(), out + row * cols);
    }
  }
}

MOR1E_INLINE void gguf_weights::read(std::string_view name, float* out) const { read_as(name, out); }
MOR1E_INLINE void gguf_weights::read(std::string_view name, double* out) const { read_as(name, out); }

}  // namespace mor1e::io
