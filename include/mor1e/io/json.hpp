// JSON as every reader of this project takes it: strictly.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e::io {

/// Deeper lists and objects are refused: code that walks a document may call itself once a level.
inline constexpr int deepest_json = 512;

/// The text as JSON. Throws `io_error` beginning with `where`, also for what most parsers let pass: a key that stands
/// twice in an object, a zero byte (which would hide what follows), a number beyond the range of double, and nesting
/// deeper than `deepest_json`. Bytes in messages are counted from 1 at the beginning of the text.
nlohmann::json parse_json(std::string_view content, const std::string& where);
/// The keys of the object that is the member `name` of a valid text's object, in the order of the text, which
/// `nlohmann::json` does not keep. Empty where there is no such object.
std::vector<std::string> keys_as_written(std::string_view content, std::string_view name);

/// Writes an object whose members stand in the order in which they are added, each key once.
class ordered_members {
 public:
  /// Throws `nlohmann::json::type_error` for text that is not UTF-8.
  void add(std::string_view key, const nlohmann::json& value);
  void add(std::string_view key, const ordered_members& value) { add_text(key, value.text()); }
  std::string text() const { return '{' + members_ + '}'; }

 private:
  void add_text(std::string_view key, const std::string& value);

  std::string members_;
};

/// A value for a message: its text, cut to about 60 characters.
std::string brief(const nlohmann::json& value);

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/json.ipp"
#endif
