#pragma once

#include <concepts>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "mor1e/core/error.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/config_reader.hpp"

namespace mor1e::peft {

namespace detail {

/// Keys that say where an adapter comes from or how it was trained, and nothing about what it computes.
inline constexpr std::initializer_list<const char*> descriptive_keys = {
    "peft_type", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode"};

// The fields of a method under their keys, once for writing and once for reading: f(key, field).
template <class Method, class F>
requires std::same_as<std::remove_const_t<Method>, mor1e>
void each_field(Method& m, F f) {
  f("experts", m.experts);
  f("c_token", m.c_token);
  f("c_intuition", m.c_intuition);
  f("learned_gates", m.learned_gates);
  f("use_router", m.router);
  f("use_intuition", m.intuition);
  f("router_bias", m.router_bias);
  f("scale", m.update_scale);
  f("gate_learning_rate_scale", m.gate_learning_rate_scale);
}

template <class Method, class F>
requires std::same_as<std::remove_const_t<Method>, mix_and_match>
void each_field(Method& m, F f) {
  f("r1", m.r1);
  f("r2", m.r2);
  f("factorised", m.factorised);
  f("c_token", m.c_token);
  f("c_intuition", m.c_intuition);
  f("learned_gates", m.learned_gates);
  f("use_router", m.router);
  f("use_intuition", m.intuition);
  f("scale", m.update_scale);
  f("gate_learning_rate_scale", m.gate_learning_rate_scale);
  f("clusters", m.clusters);
}

// Fields that came later: an adapter that does not name them was trained without.
template <class Method, class F>
requires std::same_as<std::remove_const_t<Method>, mor1e>
void each_later_field(Method& m, F f) {
  f("clusters", m.clusters);
  f("intuition_before", m.before);
  f("low_rank_router", m.low_rank_router);
  f("top_k", m.k);
  each_loss(m.losses, f);
}
template <class Method, class F>
requires std::same_as<std::remove_const_t<Method>, mix_and_match>
void each_later_field(Method& m, F f) {
  f("top_k", m.k);
  each_loss(m.losses, f);
}

/// Whether the method is stored in PEFT's own layout: DoRA is a LoRA with an option.
inline bool stored_as_lora(const any_method& method) {
  return std::holds_alternative<lora>(method) || std::holds_alternative<dora>(method);
}
inline lora lora_of(const any_method& method) {
  const dora* with_magnitudes = std::get_if<dora>(&method);
  return with_magnitudes ? with_magnitudes->update() : std::get<lora>(method);
}
/// No folder makes us allocate for more.
inline constexpr int most_experts = 1 << 20;
inline int pairs_of(const mor1e& m) { return m.experts; }
inline int pairs_of(const mix_and_match& m) { return m.r1 * m.r2; }
inline const char* type_of(const mor1e&) { return "MOR1E"; }
inline const char* type_of(const mix_and_match&) { return "MIX_AND_MATCH"; }

/// Writes the type and the fields of a mixture of low-rank experts; false if the method is none.
template <class... Methods>
bool write_mixture(const std::variant<Methods...>& from, nlohmann::json& out) {
  return std::visit(
      [&]<class M>(const M& method) {
        if constexpr (Mixture<M>) {
          out["peft_type"] = name_of<M>.type;
          const auto write = [&]<class Value>(const char* key, const Value& field) {
            if constexpr (std::is_enum_v<Value>)
              out[key] = std::string(names_of(field).at(std::size_t(field)));
            else
              out[key] = field;
          };
          each_mixture_field(method, write);
          each_later_mixture_field(method, write);
        }
        return Mixture<M>;
      },
      from);
}
/// Reads the fields of the mixture whose `peft_type` is `type`; false if no mixture is called so.
template <class... Methods>
bool read_mixture(const std::string& type, config_reader& from, const std::string& where,
                  std::variant<Methods...>& to) {
  const auto read = [&]<class M>(M method) {
    if constexpr (Mixture<M>) {
      if (type != name_of<M>.type) return false;
      each_mixture_field(method, [&](const char* key, auto& field) { from.read(key, field); });
      each_later_mixture_field(method, [&](const char* key, auto& field) { from.read_if(key, field); });
      require<io_error>(
          method.experts >= 1 && method.rank >= 1 && std::int64_t(method.experts) * method.rank <= 1 << 20, where, ": ",
          method.experts, " experts of rank ", method.rank);
      if constexpr (requires { method.admit(0); }) {
        try {
          method.admit(0);
        } catch (const value_error& e) {
          throw io_error(text(where, ": ", e.what()));
        }
      }
      to = method;
      return true;
    }
    return false;
  };
  return (read(Methods{}) || ...);
}

// "all-linear" is what PEFT calls every linear but the head.
inline nlohmann::json targets_of(const adapter_spec& spec) {
  return spec.targets.empty() ? nlohmann::json("all-linear") : nlohmann::json(spec.targets);
}

/// Every key of PEFT 0.21, those we do not set at its defaults.
inline nlohmann::json lora_config(const any_method& any) {
  const lora method = lora_of(any);
  nlohmann::json c;
  for (const char* key :
       {"alora_invocation_tokens", "arrow_config", "auto_mapping", "corda_config", "eva_config", "exclude_modules",
        "kasa_config", "layer_replication", "layers_pattern", "layers_to_transform", "lora_ga_config",
        "megatron_config", "modules_to_save", "monteclora_config", "revision", "target_parameters",
        "trainable_token_indices", "use_bdlora", "velora_config"})
    c[key] = nullptr;
  for (const char* key : {"ensure_weight_tying", "fan_in_fan_out", "lora_bias", "use_qalora"}) c[key] = false;
  c["use_dora"] = std::holds_alternative<dora>(any);
  for (const char* key : {"alpha_pattern", "loftq_config", "rank_pattern"}) c[key] = nlohmann::json::object();
  c["bias"] = "none";
  c["inference_mode"] = true;
  c["init_lora_weights"] = true;
  c["lora_alpha"] = method.alpha;
  if (method.alpha == double(std::int64_t(method.alpha))) c["lora_alpha"] = std::int64_t(method.alpha);
  c["lora_dropout"] = method.dropout;
  c["megatron_core"] = "megatron.core";
  c["peft_type"] = "LORA";
  c["peft_version"] = "0.21.2";
  c["qalora_group_size"] = 16;
  c["r"] = method.rank;
  c["task_type"] = "CAUSAL_LM";
  c["use_rslora"] = method.rank_stabilised;
  return c;
}

inline any_method read_lora(config_reader& from) {
  lora method;
  bool magnitudes = false;
  from.read_if("use_dora", magnitudes);
  from.read("r", method.rank);
  from.read("lora_alpha", method.alpha);
  from.read_if("use_rslora", method.rank_stabilised);
  from.read_if("lora_dropout", method.dropout);
  from.expect("bias", {"none"});
  // The other ways to initialise take something out of the base weights.
  from.expect("init_lora_weights", {true, "gaussian", "orthogonal", "eva"});
  // Of training, or read only with another option that is refused.
  from.ignore(
      {"peft_version", "megatron_core", "qalora_group_size", "eva_config", "loftq_config", "ensure_weight_tying"});
  from.check("lora_dropout", method.dropout >= 0 && method.dropout < 1);
  if (magnitudes) return dora{method.rank, method.alpha, method.rank_stabilised, method.dropout};
  return method;
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

MOR1E_INLINE std::vector<std::string> method_names() {
  return {"lora",   "rslora",         "dora", "mor1e",        "mor1e-paper", "mix",       "mix-paper",
          "molora", "molora-release", "sira", "sira-release", "loramoe",     "hydralora", "adamole"};
}

MOR1E_INLINE adapter_spec preset(const std::string& name) {
  if (name == "lora") return {.method = lora{.rank = 32, .alpha = 16}};
  if (name == "rslora") return {.method = lora{.rank = 32, .alpha = 16, .rank_stabilised = true}};
  if (name == "dora") return {.method = dora{.rank = 32, .alpha = 16}};
  if (name == "mor1e") return {.method = mor1e{}};
  if (name == "mor1e-paper") return {.method = mor1e::paper()};
  if (name == "mix") return {.method = mix_and_match{}};
  if (name == "mix-paper") return {.method = mix_and_match::paper()};
  if (name == "molora") return {.method = molora{}};
  if (name == "molora-release") return {.method = molora::release()};
  if (name == "sira") return {.method = sira{}};
  if (name == "sira-release") return {.method = sira::release()};
  if (name == "loramoe") return {.method = loramoe{}, .targets = {"gate_proj", "up_proj", "down_proj"}};
  if (name == "hydralora") return {.method = hydralora{}, .targets = {"gate_proj", "up_proj", "down_proj"}};
  if (name == "adamole") return {.method = adamole{}, .targets = {"q_proj", "k_proj", "v_proj", "o_proj"}};
  std::string known;
  for (const std::string& other : method_names()) known += (known.empty() ? "" : ", ") + other;
  throw value_error(text("method '", name, "' is not known (", known, ")"));
}

MOR1E_INLINE std::string family(const adapter_spec& spec) {
  return std::visit(
      []<class M>(const M&) -> std::string {
        if constexpr (Mixture<M>) return name_of<M>.family;
        if constexpr (std::is_same_v<M, lora>) return "lora";
        if constexpr (std::is_same_v<M, dora>) return "dora";
        return std::is_same_v<M, mor1e> ? "mor1e" : "mix";
      },
      spec.method);
}

MOR1E_INLINE bool uses_intuition(const adapter_spec& spec) {
  return std::visit(
      [](const auto& method) {
        if constexpr (requires { method.intuition; })
          return method.intuition;
        else
          return false;
      },
      spec.method);
}

MOR1E_INLINE bool draws(const adapter_spec& spec) {
  return std::visit(
      [](const auto& method) {
        if constexpr (requires { method.gate_dropout; })
          return method.gate_dropout > 0;
        else if constexpr (requires { method.dropout; })
          return method.dropout > 0;
        else
          return false;
      },
      spec.method);
}

MOR1E_INLINE bool tells_types(const adapter_spec& spec) {
  return std::visit(
      [](const auto& method) {
        if constexpr (requires { method.type_balance; })
          return method.type_balance > 0;
        else
          return false;
      },
      spec.method);
}

MOR1E_INLINE index_t clusters_of(const adapter_spec& spec) {
  return std::visit(
      [](const auto& method) -> index_t {
        if constexpr (requires { method.clusters; }) {
          if (!method.intuition) return 0;
          return method.clusters ? method.clusters : detail::pairs_of(method);
        } else {
          return 0;
        }
      },
      spec.method);
}

MOR1E_INLINE nlohmann::json to_json(const adapter_spec& spec) {
  nlohmann::json out;
  if (detail::stored_as_lora(spec.method)) {
    const lora method = detail::lora_of(spec.method);
    out = {{"peft_type", "LORA"},
           {"r", method.rank},
           {"lora_alpha", method.alpha},
           {"use_rslora", method.rank_stabilised}};
    if (std::holds_alternative<dora>(spec.method)) out["use_dora"] = true;
    if (method.dropout > 0) out["lora_dropout"] = method.dropout;
  } else {
    detail::write_mixture(spec.method, out);
  }
  std::visit(
      [&](const auto& method) {
        if constexpr (requires { detail::type_of(method); }) {
          out = {{"peft_type", detail::type_of(method)}, {"gate_sharpness", backend::gate_sharpness}};
          const auto write = [&](const char* key, const auto& field) { out[key] = field; };
          detail::each_field(method, write);
          detail::each_later_field(method, write);
        }
      },
      spec.method);
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
  if (type == "LORA") {
    spec.method = detail::read_lora(from);
  } else if (detail::read_mixture(type, from, where, spec.method)) {
    from.ignore({"base_model_sha256", "intuition", "extras"});
  } else {
    const auto read_rank1 = [&](auto method) {
      if (type != detail::type_of(method)) return false;
      detail::each_field(method, [&](const char* key, auto& field) { from.read(key, field); });
      detail::each_later_field(method, [&](const char* key, auto& field) { from.read_if(key, field); });
      require<io_error>(method.clusters >= 0 && method.clusters <= detail::most_experts, where, ": 'clusters' is ",
                        method.clusters);
      if constexpr (requires { method.r1; })
        require<io_error>(
            method.r1 >= 1 && method.r2 >= 1 && std::int64_t(method.r1) * method.r2 <= detail::most_experts, where,
            ": ", method.r1, " x ", method.r2, " pairs");
      const int experts = detail::pairs_of(method);
      require<io_error>(method.k >= 0 && method.k <= experts, where, ": 'top_k' is ", method.k, " of ", experts);
      spec.method = method;
      from.expect("gate_sharpness", {backend::gate_sharpness});
      from.ignore({"base_model_sha256", "intuition", "intuition_centroids", "extras"});
      return true;
    };
    if (!read_rank1(mor1e{}) && !read_rank1(mix_and_match{}))
      throw io_error(text(where, ": peft_type '", type, "' is not supported"));
  }
  from.finish();
  return spec;
}

MOR1E_INLINE nlohmann::json config_of(const adapter_record& record) {
  nlohmann::json out;
  if (detail::stored_as_lora(record.spec.method)) {
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
  if (detail::stored_as_lora(record.spec.method)) out[detail::record_key] = detail::facts_of(record).dump();
  return out;
}

MOR1E_INLINE adapter_record record_of(const nlohmann::json& config, const std::map<std::string, std::string>& metadata,
                                      const std::string& where) {
  adapter_record out;
  out.spec = spec_from_json(config, where);
  if (config.contains("base_model_name_or_path") && config.at("base_model_name_or_path").is_string())
    out.base_model = config.at("base_model_name_or_path").get<std::string>();
  if (detail::stored_as_lora(out.spec.method)) {
    const auto at = metadata.find(detail::record_key);
    if (at == metadata.end()) return out;  // PEFT wrote it
    const std::string place = text(where, ": metadata '", detail::record_key, "' of its tensors");
    detail::read_facts(io::parse_json(at->second, place), out, where);
    return out;
  }
  detail::read_facts(config, out, where);
  if (config.contains("intuition")) out.intuition = config.at("intuition");
  require<io_error>(!uses_intuition(out.spec) || out.intuition.is_object(), where,
                    ": this mixture was trained with an intuition, and 'intuition' does not say which");
  return out;
}

}  // namespace mor1e::peft
