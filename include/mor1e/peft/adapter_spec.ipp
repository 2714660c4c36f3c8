#pragma once

#include <initializer_list>
#include <type_traits>
#include <variant>

#include "mor1e/core/error.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/config_reader.hpp"

namespace mor1e::peft {

namespace detail {

/// Keys that say where an adapter comes from or how it was trained, and nothing about what it computes.
inline constexpr std::initializer_list<const char*> descriptive_keys = {
    "peft_type", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode"};

/// No folder makes us allocate for more.
inline constexpr int most_experts = 1 << 20;

inline void write_field(const described_field& f, nlohmann::json& out) {
  if (f.about.kept == stored::when_set && f.value == field_value(0.0)) return;
  std::visit(
      [&]<class Value>(const Value& value) {
        if constexpr (std::is_same_v<Value, choice>)
          out[f.about.key] = std::string(value.names[value.index]);
        else
          out[f.about.key] = value;
      },
      f.value);
}

/// The type, the marker and the hyperparameters.
inline void write_method(const any_method& method, nlohmann::json& out) {
  const method_description its = method.description();
  out["peft_type"] = its.peft_type;
  if (!its.marker.empty()) out[its.marker] = true;
  for (const described_field& f : method.fields()) write_field(f, out);
}

/// Whether an option takes the value, or it is 0, which is off.
inline bool is_valid(accepts takes, double value) {
  switch (takes) {
    case accepts::anything: return true;
    case accepts::size: return value >= 1 && value <= most_experts;
    case accepts::count: return value >= 0 && value <= most_experts;
    case accepts::positive:
    case accepts::not_negative: return value >= 0;
    case accepts::rate: return value >= 0 && value < 1;
    case accepts::fraction: return value >= 0 && value <= 1;
  }
  return false;
}

inline void read_field(config_reader& from, const field& about, field_value value, any_method& to) {
  if (about.kept == stored::constant) return from.expect(about.key, {std::get<double>(value)});
  std::visit(
      [&]<class Value>(Value& v) {
        about.kept == stored::always ? from.read(about.key, v) : from.read_if(about.key, v);
        if constexpr (std::is_arithmetic_v<Value>) from.check(about.key, is_valid(about.takes, double(v)));
        to.set(about.key, v);
      },
      value);
}

/// The method whose folders have this type and, if it has one, its marker on. Throws `io_error` for none.
inline any_method method_of_type(const std::string& type, config_reader& from, const std::string& where) {
  const any_method* unmarked = nullptr;
  for (const known_method& known : known_methods()) {
    const method_description its = known.method.description();
    if (its.peft_type != type) continue;
    bool marked = false;
    if (!its.marker.empty()) from.read_if(its.marker.c_str(), marked);
    if (marked) return known.method;
    if (its.marker.empty() && !unmarked) unmarked = &known.method;
  }
  require<io_error>(unmarked, where, ": peft_type '", type, "' is not supported");
  return *unmarked;
}

inline void read_method(config_reader& from, const std::string& where, any_method& method) {
  double size = 1;
  for (const described_field& f : method.fields()) read_field(from, f.about, f.value, method);
  for (const described_field& f : method.fields())
    if (f.about.takes == accepts::size) size *= std::get<int>(f.value);
  require<io_error>(size <= most_experts, where, ": ", method.size(), " are more than we allocate for");
}

// "all-linear" is what PEFT calls every linear but the head.
inline nlohmann::json targets_of(const adapter_spec& spec) {
  return spec.targets.empty() ? nlohmann::json("all-linear") : nlohmann::json(spec.targets);
}

/// Every key of PEFT 0.21, those we do not set at its defaults.
inline nlohmann::json lora_config(const any_method& method) {
  nlohmann::json c;
  for (const char* key :
       {"alora_invocation_tokens", "arrow_config", "auto_mapping", "corda_config", "eva_config", "exclude_modules",
        "kasa_config", "layer_replication", "layers_pattern", "layers_to_transform", "lora_ga_config",
        "megatron_config", "modules_to_save", "monteclora_config", "revision", "target_parameters",
        "trainable_token_indices", "use_bdlora", "velora_config"})
    c[key] = nullptr;
  for (const char* key : {"ensure_weight_tying", "fan_in_fan_out", "lora_bias", "use_dora", "use_qalora"})
    c[key] = false;
  for (const char* key : {"alpha_pattern", "loftq_config", "rank_pattern"}) c[key] = nlohmann::json::object();
  c["bias"] = "none";
  c["inference_mode"] = true;
  c["init_lora_weights"] = true;
  c["lora_dropout"] = 0.0;
  c["megatron_core"] = "megatron.core";
  c["peft_version"] = "0.21.2";
  c["qalora_group_size"] = 16;
  c["task_type"] = "CAUSAL_LM";
  write_method(method, c);
  // PEFT writes a whole alpha without a point.
  if (const double alpha = c["lora_alpha"]; alpha == double(std::int64_t(alpha))) c["lora_alpha"] = std::int64_t(alpha);
  return c;
}

/// Keys of PEFT's that no field of ours has.
inline void read_peft_keys(config_reader& from) {
  from.expect("bias", {"none"});
  // The other ways to initialise take something out of the base weights.
  from.expect("init_lora_weights", {true, "gaussian", "orthogonal", "eva"});
  // Of training, or read only with another option that is refused.
  from.ignore(
      {"peft_version", "megatron_core", "qalora_group_size", "eva_config", "loftq_config", "ensure_weight_tying"});
}

inline constexpr const char* record_key = "mor1e";  // in the metadata of a LoRA tensor file

/// What PEFT's keys have no room for.
inline nlohmann::json facts_of(const adapter_record& record) {
  nlohmann::json out = {{"seed", record.spec.seed}};
  if (!record.base_sha256.empty()) out["base_model_sha256"] = record.base_sha256;
  if (!record.extras.is_null()) out["extras"] = record.extras;
  return out;
}
inline void read_facts(const nlohmann::json& facts, adapter_record& record, const std::string& where) {
  config_reader from(facts, where);
  from.read("seed", record.spec.seed);
  from.read_if("base_model_sha256", record.base_sha256);
  if (facts.contains("extras")) record.extras = facts.at("extras");
}

}  // namespace detail

MOR1E_INLINE adapter_spec preset(std::string_view name) {
  const known_method& known = find_method(name);
  return {.method = known.method, .targets = known.targets};
}

MOR1E_INLINE nlohmann::json to_json(const adapter_spec& spec) {
  nlohmann::json out;
  detail::write_method(spec.method, out);
  out["target_modules"] = detail::targets_of(spec);
  detail::write_limits(spec.limits, out);
  out["seed"] = spec.seed;
  return out;
}

MOR1E_INLINE adapter_spec spec_from_json(const nlohmann::json& config, const std::string& where) {
  detail::config_reader from(config, where);
  std::string type;
  from.read("peft_type", type);
  adapter_spec spec;
  from.read_targets(spec.targets);
  from.read_limits(spec.limits);
  from.read_if("seed", spec.seed);
  from.ignore(detail::descriptive_keys);
  spec.method = detail::method_of_type(type, from, where);
  detail::read_method(from, where, spec.method);
  if (spec.method.description().peft_layout)
    detail::read_peft_keys(from);
  else
    from.ignore({"base_model_sha256", "intuition", "intuition_centroids", "extras"});
  from.finish();
  return spec;
}

MOR1E_INLINE nlohmann::json config_of(const adapter_record& record) {
  nlohmann::json out;
  if (record.spec.method.description().peft_layout) {
    out = detail::lora_config(record.spec.method);
    out["target_modules"] = detail::targets_of(record.spec);
    detail::write_limits(record.spec.limits, out);
  } else {
    out = to_json(record.spec);
    out.update(detail::facts_of(record));
    out["task_type"] = "CAUSAL_LM";
    out["intuition"] = record.intuition;
    const shape& extents = record.centroids.extents();
    if (!record.centroids.empty()) out["intuition_centroids"] = {extents[0], extents[1]};
  }
  out["base_model_name_or_path"] = record.base_model.empty() ? nlohmann::json() : nlohmann::json(record.base_model);
  return out;
}

MOR1E_INLINE std::map<std::string, std::string> metadata_of(const adapter_record& record) {
  std::map<std::string, std::string> out{{"format", "pt"}};
  if (record.spec.method.description().peft_layout) out[detail::record_key] = detail::facts_of(record).dump();
  return out;
}

MOR1E_INLINE adapter_record record_of(const nlohmann::json& config, const std::map<std::string, std::string>& metadata,
                                      const std::string& where) {
  adapter_record out;
  out.spec = spec_from_json(config, where);
  if (config.contains("base_model_name_or_path") && config.at("base_model_name_or_path").is_string())
    out.base_model = config.at("base_model_name_or_path").get<std::string>();
  if (out.spec.method.description().peft_layout) {
    const auto at = metadata.find(detail::record_key);
    if (at == metadata.end()) return out;  // PEFT wrote it
    const std::string place = text(where, ": metadata '", detail::record_key, "' of its tensors");
    detail::read_facts(io::parse_json(at->second, place), out, where);
    return out;
  }
  detail::read_facts(config, out, where);
  if (config.contains("intuition")) out.intuition = config.at("intuition");
  require<io_error>(out.spec.method.needs().clusters == 0 || out.intuition.is_object(), where,
                    ": this mixture was trained with an intuition, and 'intuition' does not say which");
  return out;
}

}  // namespace mor1e::peft
