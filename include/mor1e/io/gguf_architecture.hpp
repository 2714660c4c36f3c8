// The architectures that GGUF files hold: what each tensor is called in the Hugging Face model, and how its rows stand.
//
// One more architecture is one more entry of the list in gguf_architecture.ipp.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/core/shape.hpp"
#include "mor1e/io/gguf.hpp"
#include "mor1e/io/weights.hpp"

namespace mor1e::io {

/// Which rows of a stored tensor are the Hugging Face tensor, and in what order. With B = b_size and C = c_size, row
/// (a B + b) C + c is the stored row first + a stride_a + b stride_b + c stride_c; by default row r is row r.
struct gguf_row_order {
  index_t rows = 0;  ///< 0: all of the stored ones
  index_t first = 0;
  index_t b_size = 1, c_size = 1;
  index_t stride_a = 1, stride_b = 0, stride_c = 0;

  bool all_in_order() const { return rows == 0 && b_size == 1 && c_size == 1; }
  index_t stored_row(index_t row) const {
    return first + row / (b_size * c_size) * stride_a + row / c_size % b_size * stride_b + row % c_size * stride_c;
  }
};

/// How the rows of a module's weight and bias stand in a file.
enum class gguf_arrangement {
  same,
  /// Heads of queries or keys, each with the halves that rotary positions turn together interleaved: (x_0, x_{n/2}),
  /// (x_1, x_{n/2+1}), ... where Hugging Face has half by half.
  query_pairs,
  key_pairs,
  /// All queries, all keys, all values, where Hugging Face has them head by head.
  parts_of_heads,
  /// All queries, all keys, all values, which are three modules of Hugging Face: NAME.q_proj, .k_proj, .v_proj.
  three_modules,
};

struct gguf_module {
  std::string_view stored;  ///< "attn_q"
  std::string_view name;    ///< "self_attn.q_proj"
  gguf_arrangement order = gguf_arrangement::same;
  float added = 0;  ///< what the file's values are larger by: Gemma's norms are stored as 1 + w
};

/// One architecture.
struct gguf_architecture {
  std::string_view name;                       ///< general.architecture, and the first part of its metadata's keys
  std::span<const gguf_module> model_modules;  ///< those that stand once
  std::string_view layers;                     ///< Hugging Face's name of layer i is this and i
  std::span<const gguf_module> layer_modules;  ///< those of a layer, stored as blk.i.NAME
  /// Metadata that it has beside what all have, of the families that change a computation.
  std::span<const std::string_view> computed;
  /// Adds to the configuration what not all architectures have, and refuses what it does not compute.
  void (*describe)(const gguf_architecture&, const gguf_file&, const weight_source&, nlohmann::json&);

  /// Its key of a file's metadata: "llama." + name.
  std::string key(std::string_view of) const { return std::string(name) + "." + std::string(of); }
};

/// That of a file. Throws `io_error` naming the file for one that is not known.
const gguf_architecture& gguf_architecture_of(const gguf_file& file);

/// A Hugging Face tensor of a stored one.
struct gguf_name {
  std::string name;
  gguf_row_order rows;
  float added = 0;
};

/// What the stored tensor is in the Hugging Face model; nothing for a tensor that has no place there. Throws `io_error`
/// naming file and tensor for rows that are no whole heads.
std::vector<gguf_name> names_of(const gguf_architecture& architecture, const gguf_file& file,
                                const gguf_tensor& stored);

/// The configuration that Hugging Face would have: model_type, sizes, what the tensors show (whether the head is
/// the embedding, whether linears of a llama or a Gemma have biases), rope_scaling where it is scaled, token ids where
/// the file has them. Throws `io_error` naming file and key, and `value_error` for a key of the rope, attention or norm
/// families that is not known, or asks for what we do not compute.
nlohmann::json config_of(const gguf_architecture& architecture, const gguf_file& file, const weight_source& weights);

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/gguf_architecture.ipp"
#endif
