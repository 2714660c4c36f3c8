// Which method with which options: what a program is asked for, and what an adapter folder says.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/core/tensor.hpp"
#include "mor1e/peft/registry.hpp"
#include "mor1e/peft/targets.hpp"

namespace mor1e::peft {

/// A method, where it goes and how it starts.
struct adapter_spec {
  any_method method = mor1e{};
  std::vector<std::string> targets = {};  ///< see `attach`; empty: every linear but the head
  std::uint64_t seed = 0;                 ///< of the initial values
  target_limits limits = {};              ///< which of the targets are meant; an adapter of PEFT may have some

  friend bool operator==(const adapter_spec&, const adapter_spec&) = default;
};

/// A method by name, with its own hyperparameters and targets. Throws `value_error` listing the names.
///
/// The library's: "lora", "rslora", "dora" (rank 32, alpha 16: the paper's LoRA), "mor1e" (the release's constants and
/// gates), "mor1e-paper", "mix" (mix-and-match 4 x 8, with the release's), "mix-paper", "molora", "sira", these with
/// "-release" (as the baselines of MoR1E's release were run), "loramoe", "hydralora", "adamole".
MOR1E_INLINE adapter_spec preset(std::string_view name);

/// The spec as JSON: `peft_type`, `target_modules`, `seed` and every hyperparameter of the method.
MOR1E_INLINE nlohmann::json to_json(const adapter_spec& spec);
/// The spec of such an object, or of a LoRA configuration that PEFT wrote. Throws `io_error` beginning with `where`:
/// for a missing key or one of the wrong type, for a `peft_type` that is not known, and for every key that is not
/// understood and not off (null, false, [] or {}): options that change the result are refused, never ignored.
MOR1E_INLINE adapter_spec spec_from_json(const nlohmann::json& config, const std::string& where);

/// What an adapter folder says besides the values of its parameters.
struct adapter_record {
  adapter_spec spec = {};
  std::string base_model = {};    ///< name or path of the base
  std::string base_sha256 = {};   ///< of its weights (`io::checkpoint::hash`); empty: not known
  nlohmann::json intuition = {};  ///< how instances are embedded, clustered and compared; null for methods without
  tensor<float> centroids = {};   ///< [clusters, width of the embedding]; empty for an intuition without
  nlohmann::json extras = {};     ///< anything a program wants to find again: template, tasks, versions
};

/// adapter_config.json of a record: in PEFT's own layout and keys for LoRA, which leave no room for hash, seed and
/// extras: these stand in the metadata of the tensor file.
MOR1E_INLINE nlohmann::json config_of(const adapter_record& record);
/// The metadata of adapter_model.safetensors.
MOR1E_INLINE std::map<std::string, std::string> metadata_of(const adapter_record& record);
/// The record that both say, without centroids. Throws `io_error` as `spec_from_json`, and for a method that reads an
/// intuition without one in the record.
MOR1E_INLINE adapter_record record_of(const nlohmann::json& config, const std::map<std::string, std::string>& metadata,
                                      const std::string& where);

}  // namespace mor1e::peft

#ifndef MOR1E_COMPILED
#include "mor1e/peft/adapter_spec.ipp"
#endif
