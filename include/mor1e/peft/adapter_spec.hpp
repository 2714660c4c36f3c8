// Which method with which options: what a program is told, and what an adapter folder says.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/core/tensor.hpp"
#include "mor1e/peft/dora.hpp"
#include "mor1e/peft/lora.hpp"
#include "mor1e/peft/mix_and_match.hpp"
#include "mor1e/peft/mixture_fields.hpp"
#include "mor1e/peft/mor1e.hpp"
#include "mor1e/peft/targets.hpp"

namespace mor1e::peft {

/// The methods that programs know. One more is one more type here, one preset and its keys in adapter_spec.ipp (of a
/// mixture of low-rank experts: in mixture_fields.hpp).
using any_method = std::variant<lora, mor1e, dora, mix_and_match, molora, sira, loramoe, hydralora, adamole>;

/// A method, where it goes and how it starts.
struct adapter_spec {
  any_method method = mor1e{};
  std::vector<std::string> targets = {};  ///< see `attach`; empty: every linear but the head
  std::uint64_t seed = 0;                 ///< of the initial values
  target_limits limits = {};              ///< which of the targets are meant; an adapter of PEFT may have some

  friend bool operator==(const adapter_spec&, const adapter_spec&) = default;
};

/// The names `preset` knows.
MOR1E_INLINE std::vector<std::string> method_names();
/// A method by name, with its own defaults and targets: "lora", "rslora", "dora" (rank 32, alpha 16: the paper's LoRA),
/// "mor1e" (the release's constants and gates), "mor1e-paper", "mix" (mix-and-match 4 x 8, with the release's),
/// "mix-paper", "molora", "sira", these with "-release" (as the baselines of MoR1E's release were run), "loramoe",
/// "hydralora", "adamole". Throws `value_error` listing the names.
MOR1E_INLINE adapter_spec preset(const std::string& name);
/// "lora", "dora", "mor1e", "mix", "molora", ...: the family of the method, whatever its options.
MOR1E_INLINE std::string family(const adapter_spec& spec);
/// Whether the method reads an intuition in every step.
MOR1E_INLINE bool uses_intuition(const adapter_spec& spec);
/// Whether training drops something at random: its steps need `program_options::dropout`.
MOR1E_INLINE bool draws(const adapter_spec& spec);
/// Whether training tells types of tasks apart: its steps need `program_options::types`.
MOR1E_INLINE bool tells_types(const adapter_spec& spec);

/// Columns of the intuition that the method reads; 0 for one that reads none.
MOR1E_INLINE index_t clusters_of(const adapter_spec& spec);

/// The spec as JSON: `peft_type`, `target_modules`, `seed` and every hyperparameter of the method.
MOR1E_INLINE nlohmann::json to_json(const adapter_spec& spec);
/// The spec of such an object, or of a LoRA configuration that PEFT wrote. Throws `io_error` beginning with `where`:
/// for a missing key or one of the wrong type, for a `peft_type` that is not known, and for every key that is not
/// understood and not off (null, false, [] or {}): options that change the result are refused, never ignored.
MOR1E_INLINE adapter_spec spec_from_json(const nlohmann::json& config, const std::string& where);

/// What an adapter folder says besides the values of its parameters.
struct adapter_record {
  adapter_spec spec;
  std::string base_model;    ///< name or path of the base
  std::string base_sha256;   ///< of its weights (`io::checkpoint::hash`); empty: not known
  nlohmann::json intuition;  ///< how instances are embedded, clustered and compared; null for methods without
  tensor<float> centroids;   ///< [clusters, width of the embedding]; empty for an intuition without
  nlohmann::json extras;     ///< anything a program wants to find again: template, tasks, versions
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
