// The linears of a backbone, and its size, from its configuration alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e::models {

/// One linear of a block, as Hugging Face names it: "self_attn.q_proj".
struct linear_shape {
  std::string name;
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
};

/// A decoder by its numbers. Blocks are alike, so the linears of one stand for all.
struct backbone {
  std::string model_type;
  std::int64_t layers = 0;
  std::int64_t head_dim = 0;          ///< columns of a head
  std::vector<linear_shape> linears;  ///< of one block: every linear but the head
  std::int64_t parameters = 0;        ///< of the whole model, tied tables counted once
  linear_shape head;

  std::int64_t adapted_linears() const { return layers * std::int64_t(linears.size()); }
  /// Sums over all adapted linears: inputs, and inputs + outputs.
  std::int64_t sum_inputs() const;
  std::int64_t sum_both() const;
  /// Sum of inputs * outputs over all adapted linears.
  std::int64_t sum_products() const;
};

/// The backbone of a config.json: llama, mistral, gemma, gemma3_text, bloom, phi. More than `models::load` opens:
/// counting needs no weights. Throws `io_error` naming a missing key, `value_error` for an architecture that is not
/// known.
backbone backbone_of(const nlohmann::json& config, const std::string& where);

}  // namespace mor1e::models

#ifndef MOR1E_COMPILED
#include "mor1e/models/linears.ipp"
#endif
