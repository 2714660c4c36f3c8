#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/io/json.hpp"

namespace mor1e::io {

namespace detail {

/// Names the first key that stands twice in its object. Only for text that is known to have one: it keeps every key.
[[noreturn]] inline void refuse_repeated_key(std::string_view content, const std::string& where) {
  std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
  const nlohmann::json unused =
      nlohmann::json::parse(content, [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
        using on = nlohmann::json::parse_event_t;
        if (event == on::object_start) keys.emplace_back();
        if (event == on::object_end) keys.pop_back();
        if (event == on::key) {
          const auto& key = parsed.get_ref<const std::string&>();
          require<io_error>(keys.back().insert(key).second, where, ": key ", brief(key), " stands twice in an object");
        }
        return true;
      });
  throw io_error(text(where, ": a key stands twice in ", brief(unused)));
}

}  // namespace detail

MOR1E_INLINE nlohmann::json parse_json(std::string_view content, const std::string& where) {
  // The parser takes a zero byte for the end of the text.
  const std::size_t zero = content.find('\0');
  require<io_error>(zero == content.npos, where, ": not valid JSON at byte ", zero + 1, ": a zero byte");
  std::vector<std::size_t> keys;  // how many each open object has: fewer members at its end mean that one stood twice
  bool repeated = false;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using on = nlohmann::json::parse_event_t;
    if (event == on::object_start || event == on::array_start)
      require<io_error>(depth < deepest_json, where, ": JSON nested deeper than ", deepest_json);
    if (event == on::object_start) keys.push_back(0);
    if (event == on::key) ++keys.back();
    if (event == on::object_end) {
      repeated |= parsed.size() != keys.back();
      keys.pop_back();
    }
    return true;
  };
  try {
    nlohmann::json out = nlohmann::json::parse(content, watch);
    if (repeated) detail::refuse_repeated_key(content, where);
    return out;
  } catch (const nlohmann::json::parse_error& e) {
    throw io_error(text(where, ": not valid JSON at byte ", e.byte));
  } catch (const nlohmann::json::exception&) {
    throw io_error(text(where, ": not valid JSON: a number is beyond the range of double"));
  }
}

MOR1E_INLINE std::vector<std::string> keys_as_written(std::string_view content, std::string_view name) {
  std::vector<std::string> keys;
  bool inside = false;  // of the member `name`
  [[maybe_unused]] const auto whole =
      nlohmann::json::parse(content, [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
        if (event != nlohmann::json::parse_event_t::key) return true;
        if (depth == 1)
          inside = parsed.get_ref<const std::string&>() == name;
        else if (depth == 2 && inside)
          keys.push_back(parsed.get<std::string>());
        return true;
      });
  return keys;
}

MOR1E_INLINE void ordered_members::add(std::string_view key, const nlohmann::json& value) {
  add_text(key, value.dump());
}
MOR1E_INLINE void ordered_members::add_text(std::string_view key, const std::string& value) {
  if (!members_.empty()) members_ += ',';
  members_ += nlohmann::json(key).dump() + ':' + value;
}

MOR1E_INLINE std::string brief(const nlohmann::json& value) {
  constexpr std::size_t longest = 60;
  std::string out = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);  // ASCII: may be cut anywhere
  if (out.size() > longest) out.replace(longest - 3, out.npos, "...");
  return out;
}

}  // namespace mor1e::io
