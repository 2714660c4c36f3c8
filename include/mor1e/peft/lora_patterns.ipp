#pragma once

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/peft/lora_patterns.hpp"
#include "mor1e/peft/targets.hpp"

namespace mor1e::peft {

namespace detail {

/// What Python's re.match(rf"(.*\.)?({key})$", linear) says of a plain name, which "^" may precede.
inline bool names_linear(std::string_view key, std::string_view linear) {
  const bool from_the_first = key.starts_with('^');
  if (from_the_first) key.remove_prefix(1);
  return ends_in_name(linear, key) && (!from_the_first || key.size() == linear.size());
}

template <class Value>
Value value_for(const std::vector<std::pair<std::string, Value>>& pattern, std::string_view linear, Value otherwise) {
  for (const auto& [key, value] : pattern)
    if (names_linear(key, linear)) return value;
  return otherwise;
}

template <class Value, class Fits>
std::vector<std::pair<std::string, Value>> take_pattern(nlohmann::json& config, std::string_view as_written,
                                                        const char* name, const std::string& where, Fits fits) {
  std::vector<std::pair<std::string, Value>> out;
  if (!config.contains(name) || !config.at(name).is_object()) return out;
  for (const std::string& key : io::keys_as_written(as_written, name)) {
    const nlohmann::json& value = config.at(name).at(key);
    require<io_error>(is_plain_name(std::string_view(key).substr(key.starts_with('^'))), where, ": '", name,
                      "' has the regular expression ", io::brief(key), "; only names are supported");
    require<io_error>(fits(value), where, ": '", name, "' of ", key, " is ", io::brief(value));
    out.emplace_back(key, value.template get<Value>());
  }
  config.erase(name);
  return out;
}

}  // namespace detail

MOR1E_INLINE lora lora_patterns::of(std::string_view linear, lora common) const {
  common.rank = detail::value_for(ranks, linear, common.rank);
  common.alpha = detail::value_for(alphas, linear, common.alpha);
  return common;
}

MOR1E_INLINE lora_patterns take_patterns(nlohmann::json& config, std::string_view as_written,
                                         const std::string& where) {
  if (!config.is_object() || config.value("peft_type", nlohmann::json()) != "LORA") return {};
  return {detail::take_pattern<int>(
              config, as_written, "rank_pattern", where,
              [](const auto& value) { return value.is_number_unsigned() && value >= 1 && value <= 1 << 20; }),
          detail::take_pattern<double>(config, as_written, "alpha_pattern", where,
                                       [](const auto& value) { return value.is_number(); })};
}

}  // namespace mor1e::peft
