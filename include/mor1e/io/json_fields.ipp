#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "mor1e/io/json.hpp"
#include "mor1e/io/json_fields.hpp"

namespace mor1e::io {

namespace detail {

/// What asks for nothing.
inline bool is_off(const nlohmann::json& value) {
  return value.is_null() || value == false || (value.is_structured() && value.empty());
}

}  // namespace detail

MOR1E_INLINE json_fields::json_fields(const nlohmann::json& object, std::string where)
    : object_(&object), where_(std::move(where)) {
  require<io_error>(object.is_object(), where_, ": is ", brief(object), ", not a JSON object");
}

MOR1E_INLINE void json_fields::fail(const char* key, const std::string& why) const {
  throw io_error(text(where_, ": '", key, "' is ", brief(object_->at(key)), ", ", why));
}

MOR1E_INLINE const nlohmann::json& json_fields::value(const char* key) {
  static const nlohmann::json missing;
  known_.push_back(key);
  const auto found = object_->find(key);
  return found == object_->end() ? missing : *found;
}
MOR1E_INLINE const nlohmann::json& json_fields::required(const char* key) {
  const nlohmann::json& found = value(key);
  require<io_error>(!found.is_null(), where_, ": '", key, "' is missing");
  return found;
}
MOR1E_INLINE bool json_fields::has(const char* key) { return !value(key).is_null(); }
MOR1E_INLINE bool json_fields::contains(const char* key) {
  known_.push_back(key);
  return object_->contains(key);
}
MOR1E_INLINE bool json_fields::is_on(const char* key) { return !detail::is_off(value(key)); }

MOR1E_INLINE std::int64_t json_fields::integer(const char* key, std::int64_t least, std::int64_t most) {
  const nlohmann::json& found = required(key);
  const bool fits = found.is_number_unsigned()  ? found.get<std::uint64_t>() <= std::uint64_t(most)
                    : found.is_number_integer() ? found.get<std::int64_t>() <= most
                                                : false;
  if (!fits || found.get<std::int64_t>() < least) fail(key, text("not an integer from ", least, " to ", most));
  return found.get<std::int64_t>();
}
MOR1E_INLINE std::int64_t json_fields::integer_or(const char* key, std::int64_t otherwise, std::int64_t least,
                                                  std::int64_t most) {
  return has(key) ? integer(key, least, most) : otherwise;
}

MOR1E_INLINE double json_fields::number(const char* key, double above, double most) {
  const nlohmann::json& found = required(key);
  const double number = found.is_number() ? found.get<double>() : std::nan("");
  if (!(number > above && number <= most))
    fail(key, text("not a finite number above ", above,
                   most < std::numeric_limits<double>::max() ? text(" and up to ", most) : ""));
  return number;
}
MOR1E_INLINE double json_fields::number_or(const char* key, double otherwise, double above, double most) {
  return has(key) ? number(key, above, most) : otherwise;
}

MOR1E_INLINE bool json_fields::flag_or(const char* key, bool otherwise) {
  if (!has(key)) return otherwise;
  if (!value(key).is_boolean()) fail(key, "neither true nor false");
  return value(key).get<bool>();
}

MOR1E_INLINE bool json_fields::flag(const char* key) {
  required(key);
  return flag_or(key, false);
}

MOR1E_INLINE std::string json_fields::string(const char* key) {
  const nlohmann::json& found = required(key);
  if (!found.is_string()) fail(key, "not a string");
  return found.get<std::string>();
}
MOR1E_INLINE std::string json_fields::string_or(const char* key, const std::string& otherwise) {
  return has(key) ? string(key) : otherwise;
}

MOR1E_INLINE int json_fields::place(const char* key, std::initializer_list<std::string_view> names) {
  const auto at = std::find(names.begin(), names.end(), string(key));
  if (at == names.end()) fail(key, "none of those known");
  return int(at - names.begin());
}
MOR1E_INLINE const nlohmann::json& json_fields::list(const char* key) {
  const nlohmann::json& found = required(key);
  if (!found.is_array() || found.empty()) fail(key, "not a list with something in it");
  return found;
}

MOR1E_INLINE json_fields json_fields::nested(const char* key) {
  static const nlohmann::json empty = nlohmann::json::object();
  const nlohmann::json& found = value(key);
  return {detail::is_off(found) ? empty : found, text(where_, ": '", key, "'")};
}

MOR1E_INLINE void json_fields::expect(const char* key, std::initializer_list<nlohmann::json> neutral) {
  const nlohmann::json& found = value(key);
  if (detail::is_off(found) || std::find(neutral.begin(), neutral.end(), found) != neutral.end()) return;
  throw value_error(text(where_, ": '", key, "' is ", brief(found), ", which is not supported"));
}

MOR1E_INLINE void json_fields::finish(std::span<const std::string_view> words) const {
  for (const auto& [key, value] : object_->items()) {
    if (detail::is_off(value) || std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    for (const std::string_view word : words)
      require<value_error>(key.find(word) == key.npos, where_, ": ", brief(key), ": ", brief(value),
                           " is not known, and may change what the model computes");
  }
}

MOR1E_INLINE void json_fields::finish() const {
  constexpr std::string_view any[] = {""};
  finish(any);
}

}  // namespace mor1e::io
