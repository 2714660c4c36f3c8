#pragma once

#include "mor1e/text/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "mor1e/core/error.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

namespace detail {
inline std::string pcre2_message(int code) {
  unsigned char message[256] = {};
  pcre2_get_error_message(code, message, sizeof message);
  return reinterpret_cast<const char*>(message);
}

/// An escape that the two dialects read differently, inside or outside of a class.
inline std::string translated_escape(char letter, bool in_class) {
  // PCRE2's own \s contains U+180E, and its \w no marks.
  static constexpr std::string_view word = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
  switch (letter) {
    case 's': return R"(\p{White_Space})";
    case 'S': return R"(\P{White_Space})";
    case 'w': return in_class ? std::string(word) : text("[", word, "]");
    case 'h': return in_class ? "0-9a-fA-F" : "[0-9a-fA-F]";
    case 'W':
      if (in_class) throw value_error("regex: \\W in a class is not supported");
      return text("[^", word, "]");
    default: return {'\\', letter};
  }
}
}  // namespace detail

MOR1E_INLINE std::string translated_from_oniguruma(std::string_view pattern) {
  std::string out;
  int depth = 0;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    const std::string_view rest = pattern.substr(at + 1);
    if (c == '\\' && !rest.empty()) {
      out += detail::translated_escape(pattern[++at], depth > 0);
    } else if (c == '[' && depth > 0) {
      // The union of a class and the class within it is one class with the characters of both.
      require<value_error>(!rest.starts_with('^') && !rest.starts_with(':'), "regex: '[", rest.substr(0, 1),
                           "' in a class is not supported: ", pattern);
      ++depth;
    } else if (c == '[') {
      ++depth;
      out += c;
      if (rest.starts_with('^')) out += pattern[++at];
    } else if (c == ']' && depth > 0) {
      if (--depth == 0) out += c;
    } else {
      require<value_error>(depth == 0 || c != '&' || !rest.starts_with('&'),
                           "regex: an intersection of classes is not supported: ", pattern);
      out += c;
    }
  }
  return out;
}

MOR1E_INLINE regex::regex(std::string_view pattern) {
  const std::string translated = translated_from_oniguruma(pattern);
  int error = 0;
  std::size_t offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset, nullptr);
  require<value_error>(code != nullptr, "regex: ", detail::pcre2_message(error), " at byte ", offset, ": ", translated);
  code_ = std::shared_ptr<const void>(code, [code](const void*) { pcre2_code_free(code); });
  // Where there is no just-in-time compiler the interpreter gives the same matches.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
}

MOR1E_INLINE std::vector<byte_range> regex::matches(std::string_view text) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create_from_pattern(code, nullptr), &pcre2_match_data_free);
  const std::size_t* found = pcre2_get_ovector_pointer(data.get());
  std::vector<byte_range> ranges;
  // Without NO_UTF_CHECK every call would read the rest of the text once more: quadratic.
  std::size_t at = 0;
  while (at < text.size()) {
    const auto match = [&](std::uint32_t options) {
      return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, options, data.get(),
                         nullptr);
    };
    int result = match(PCRE2_NO_UTF_CHECK);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = match(PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH) break;
    require<value_error>(result >= 0, "regex: ", result < 0 ? detail::pcre2_message(result) : "");
    if (found[1] > found[0]) {
      ranges.push_back({found[0], found[1]});
      at = found[1];
    } else {
      at = found[0] < text.size() ? found[0] + sequence_at(text, found[0]).length : text.size();
    }
  }
  return ranges;
}

}  // namespace mor1e::texts
