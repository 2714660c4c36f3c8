// The fields of a JSON object, read by a schema: every key is computed, known not to matter, or refused.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/core/error.hpp"

namespace mor1e::io {

/// Largest size that a file may give one of its dimensions. Sizes of a model stay below an overflow by it.
inline constexpr std::int64_t largest_size = std::int64_t(1) << 24;

/// Words in the names of keys that say how a model computes: an unknown key with one of them is refused.
inline constexpr std::string_view computing_words[] = {"rope",       "rotary", "attention", "attn",       "norm",
                                                       "window",     "alibi",  "logit",     "softcap",    "scale",
                                                       "multiplier", "expert", "qkv",       "layer_types"};

/// Borrows the object. Every function that takes a key makes it a known one; a null value is a missing one. Values have
/// a kind and a range: an integer is written as one, a number is finite. What is not is an `io_error` "WHERE: 'key' is
/// VALUE, ..."; what we do not compute is a `value_error`.
class json_fields {
 public:
  /// Throws `io_error` for what is no object.
  json_fields(const nlohmann::json& object, std::string where);

  bool has(const char* key);
  /// Whether the key is there, null or not: for keys of which null has a meaning of its own.
  bool contains(const char* key);
  /// Whether it asks for something: is there and not null, false, [] or {}.
  bool is_on(const char* key);
  /// An integer from `least` to `most`, which has to be there.
  std::int64_t integer(const char* key, std::int64_t least, std::int64_t most = largest_size);
  /// The same, or `otherwise` where the key is missing.
  std::int64_t integer_or(const char* key, std::int64_t otherwise, std::int64_t least,
                          std::int64_t most = largest_size);
  /// A size: an integer from 1 on.
  int size(const char* key) { return int(integer(key, 1)); }
  int size_or(const char* key, int otherwise) { return int(integer_or(key, otherwise, 1)); }
  /// A number in (above, most], or `otherwise`.
  double number_or(const char* key, double otherwise, double above, double most = std::numeric_limits<double>::max());
  /// The same, which has to be there.
  double number(const char* key, double above, double most = std::numeric_limits<double>::max());
  bool flag_or(const char* key, bool otherwise);
  bool flag(const char* key);
  std::string string(const char* key);
  std::string string_or(const char* key, const std::string& otherwise);
  /// Which of `names` the text under the key is.
  int place(const char* key, std::initializer_list<std::string_view> names);
  /// The list under the key, of at least one element.
  const nlohmann::json& list(const char* key);
  /// The object under the key; what is off is an empty one.
  json_fields nested(const char* key);
  /// The value itself, null if it is missing.
  const nlohmann::json& value(const char* key);

  /// Keys known to change nothing of what is computed.
  void ignore(std::initializer_list<const char*> keys) { known_.insert(known_.end(), keys.begin(), keys.end()); }
  /// A key we do not compute: it may be missing, off (null, false, [], {}) or one of `neutral`.
  void expect(const char* key, std::initializer_list<nlohmann::json> neutral);
  /// Throws `value_error` for a key that nobody asked for, whose name holds one of `words`, and which is not off.
  void finish(std::span<const std::string_view> words) const;
  /// The same for every key that nobody asked for.
  void finish() const;

  /// Throws `value_error` "WHERE: ..." unless `holds`.
  template <class... Parts>
  void refuse_unless(bool holds, const Parts&... parts) const {
    require<value_error>(holds, where_, ": ", parts...);
  }
  const std::string& where() const { return where_; }
  /// Throws `io_error` "WHERE: 'key' is VALUE, WHY".
  [[noreturn]] void fail(const char* key, const std::string& why) const;

 private:
  const nlohmann::json& required(const char* key);

  const nlohmann::json* object_;
  std::string where_;
  std::vector<std::string> known_;
};

}  // namespace mor1e::io

#ifndef MOR1E_COMPILED
#include "mor1e/io/json_fields.ipp"
#endif
