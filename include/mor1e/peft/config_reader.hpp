// adapter_config.json, read key by key.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/peft/description.hpp"
#include "mor1e/peft/targets.hpp"

namespace mor1e::peft::detail {

/// Reads the keys of an adapter configuration, and knows in the end which ones nobody asked for.
class config_reader {
 public:
  config_reader(const nlohmann::json& config, const std::string& where) : config_(config), where_(where) {
    require<io_error>(config.is_object(), where, ": is not a JSON object");
  }

  template <class Value>
  void read(const char* key, Value& to) {
    require<io_error>(config_.contains(key), where_, ": '", key, "' is missing");
    known_.push_back(key);
    const nlohmann::json& value = config_.at(key);
    bool fits = true;
    if constexpr (std::is_same_v<Value, choice>) {
      const auto at =
          std::find(to.names.begin(), to.names.end(), value.is_string() ? value.get<std::string>() : std::string());
      require<io_error>(at != to.names.end() && !at->empty(), where_, ": '", key, "' is ", io::brief(value));
      to.index = std::size_t(at - to.names.begin());
      return;
    } else if constexpr (std::is_same_v<Value, bool>)
      fits = value.is_boolean();
    else if constexpr (std::is_unsigned_v<Value>)
      fits = value.is_number_unsigned();
    else if constexpr (std::is_integral_v<Value>)
      fits = value.is_number_integer() && value == std::int64_t(value.get<Value>());
    else if constexpr (std::is_arithmetic_v<Value>)
      fits = value.is_number();
    else if constexpr (std::is_same_v<Value, std::string>)
      fits = value.is_string();
    else
      fits = value.is_array() && std::all_of(value.begin(), value.end(), [](const auto& item) {
               if constexpr (std::is_integral_v<typename Value::value_type>) return item.is_number_integer();
               return item.is_string();
             });
    require<io_error>(fits, where_, ": '", key, "' is ", io::brief(value));
    if constexpr (!std::is_same_v<Value, choice>) to = value.template get<Value>();
  }
  template <class Value>
  void read_if(const char* key, Value& to) {
    if (config_.contains(key) && !config_.at(key).is_null()) read(key, to);
    known_.push_back(key);
  }
  /// The value of `key`, which was read, is one that makes sense.
  void check(const char* key, bool holds) const {
    require<io_error>(holds, where_, ": '", key, "' is ", config_.contains(key) ? io::brief(config_.at(key)) : "");
  }
  void ignore(std::initializer_list<const char*> keys) { known_.insert(known_.end(), keys.begin(), keys.end()); }
  /// The key may be missing, off, or one of `values`.
  void expect(const char* key, std::initializer_list<nlohmann::json> values) {
    known_.push_back(key);
    if (!config_.contains(key) || off(config_.at(key))) return;
    for (const auto& value : values)
      if (config_.at(key) == value) return;
    refuse(key);
  }

  /// "all-linear", or a list of names. PEFT also takes a regular expression.
  void read_targets(std::vector<std::string>& to) {
    require<io_error>(config_.contains("target_modules"), where_, ": 'target_modules' is missing");
    const nlohmann::json& value = config_.at("target_modules");
    known_.push_back("target_modules");
    if (value == "all-linear") return;
    require<io_error>(!value.is_string(), where_, ": 'target_modules' is the regular expression ", io::brief(value),
                      "; only a list of names or \"all-linear\" is supported");
    read("target_modules", to);
    require<io_error>(!to.empty(), where_, ": 'target_modules' is empty");
  }

  /// exclude_modules, layers_to_transform and layers_pattern, each one value or a list; empty is none.
  void read_limits(target_limits& to) {
    if (config_.contains("exclude_modules") && config_.at("exclude_modules").is_string())
      read("exclude_modules", to.excluded_expression);
    else
      read_if("exclude_modules", to.excluded);
    read_one_or_more("layers_to_transform", to.layers);
    read_one_or_more("layers_pattern", to.layer_lists);
    const bool names = std::all_of(to.layer_lists.begin(), to.layer_lists.end(), is_plain_name);
    if (!names || (!to.layer_lists.empty() && config_.value("layers_to_transform", nlohmann::json()).is_null()))
      refuse("layers_pattern");
  }

  /// Throws for a key that was not read and is on: what it asks for would not happen.
  void finish() const {
    for (const auto& [key, value] : config_.items())
      if (std::find(known_.begin(), known_.end(), key) == known_.end() && !off(value)) refuse(key);
  }

 private:
  template <class Value>
  void read_one_or_more(const char* key, std::vector<Value>& to) {
    const bool one = config_.contains(key) && !config_.at(key).is_structured() && !config_.at(key).is_null();
    if (!one) return read_if(key, to);
    Value value{};
    read(key, value);
    if (config_.at(key) != "") to = {value};
  }
  static bool off(const nlohmann::json& value) {
    return value.is_null() || value == false || (value.is_structured() && value.empty());
  }
  [[noreturn]] void refuse(const std::string& key) const {
    throw io_error(text(where_, ": '", key, "': ", io::brief(config_.at(key)), " is not supported"));
  }

  const nlohmann::json& config_;
  const std::string& where_;
  std::vector<std::string> known_;
};

/// The limits on the targets under PEFT's keys.
inline void write_limits(const target_limits& limits, nlohmann::json& out) {
  if (!limits.excluded.empty()) out["exclude_modules"] = limits.excluded;
  if (!limits.excluded_expression.empty()) out["exclude_modules"] = limits.excluded_expression;
  if (!limits.layers.empty()) out["layers_to_transform"] = limits.layers;
  if (!limits.layer_lists.empty()) out["layers_pattern"] = limits.layer_lists;
}

}  // namespace mor1e::peft::detail
