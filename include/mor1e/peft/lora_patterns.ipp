#pragma once

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/peft/lora_patterns.hpp"

namespace mor1e::peft {

namespace detail {

/// What Python's re.match(rf"(.*\.)?({key})$", linear) says of a key of letters, digits, "_", "-", "." and a first "^".
inline bool names_linear(std::string_view key, std::string_view linear) {
  const bool from_the_first = key.starts_with('^');
  if (from_the_first) key.remove_prefix(1);
  if (key.size() > linear.size()) return false;
  const std::size_t at = linear.size() - key.size();
  return (at == 0 || (!from_the_first && linear[at - 1] == '.')) &&
         std::equal(key.begin(), key.end(), linear.begin() + std::ptrdiff_t(at),
                    [](char k, char c) { return k == '.' || k == c; });
}

template <class Value>
Value value_for(const std::map<std::string, Value>& pattern, std::string_view linear, Value otherwise) {
  for (const auto& [key, value] : pattern)
    if (names_linear(key, linear)) return value;
  return otherwise;
}

template <class Value, class Fits>
std::map<std::string, Value> take_pattern(nlohmann::json& config, const char* name, const std::string& where,
                                          Fits fits) {
  std::map<std::string, Value> out;
  if (!config.contains(name) || !config.at(name).is_object()) return out;
  for (const auto& [key, value] : config.at(name).items()) {
    const bool plain = key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
                                             key.starts_with('^')) == std::string::npos;
    require<io_error>(plain, where, ": '", name, "' has the regular expression ", nlohmann::json(key).dump(),
                      "; only names are supported");
    require<io_error>(fits(value), where, ": '", name, "' of ", key, " is ", value.dump());
    out[key] = value.template get<Value>();
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

MOR1E_INLINE lora_patterns take_patterns(nlohmann::json& config, const std::string& where) {
  if (!config.is_object() || config.value("peft_type", nlohmann::json()) != "LORA") return {};
  return {detail::take_pattern<int>(
              config, "rank_pattern", where,
              [](const nlohmann::json& value) { return value.is_number_unsigned() && value >= 1 && value <= 1 << 20; }),
          detail::take_pattern<double>(config, "alpha_pattern", where,
                                       [](const nlohmann::json& value) { return value.is_number(); })};
}

}  // namespace mor1e::peft
