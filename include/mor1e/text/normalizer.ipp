#pragma once

#include <algorithm>
#include <utility>

#include "mor1e/text/normalizer.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

namespace detail {

/// The blocks that BERT calls Chinese; kana and hangul are not among them. The fifth range begins at U+2B920, where the
/// block begins at U+2B820, because the reference implementation has it so.
inline bool is_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x2F800 && c <= 0x2FA1F);
}

/// Applies `each(character, out)` to every character.
template <class Each>
std::string rewritten(std::string_view text, Each each) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) each(next_character(text, at), out);
  return out;
}

template <class Drop>
std::string without(std::string_view text, Drop drop) {
  return rewritten(text, [&](char32_t c, std::string& out) {
    if (!drop(c)) append_character(out, c);
  });
}

inline std::string cleaned(std::string_view text) {
  return rewritten(text, [](char32_t c, std::string& out) {
    if (is_white_space(c) && (c == '\t' || c == '\n' || c == '\r' || !is_control(c)))
      out += ' ';
    else if (c != 0xFFFD && !is_control(c))
      append_character(out, c);
  });
}

inline std::string with_ideographs_apart(std::string_view text) {
  return rewritten(text, [](char32_t c, std::string& out) {
    const bool apart = is_ideograph(c);
    if (apart) out += ' ';
    append_character(out, c);
    if (apart) out += ' ';
  });
}

}  // namespace detail

MOR1E_INLINE std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  if (what.empty()) return std::string(text);
  std::string out;
  std::size_t at = 0;
  for (std::size_t hit; (hit = text.find(what, at)) != text.npos; at = hit + what.size()) {
    out += text.substr(at, hit - at);
    out += with;
  }
  return out += text.substr(at);
}

MOR1E_INLINE normalizer bert_normalizer(bert_normalizer_options options) {
  return [options](std::string text) {
    if (options.clean_text) text = detail::cleaned(text);
    if (options.separate_ideographs) text = detail::with_ideographs_apart(text);
    if (options.strip_accents) text = detail::without(normalized(text, normal_form::nfd), is_nonspacing_mark);
    if (options.lower_case) text = lower_case(text);
    return text;
  };
}

MOR1E_INLINE normalizer unicode_normalizer(normal_form form) {
  return [form](std::string text) { return normalized(text, form); };
}

MOR1E_INLINE normalizer lower_case_normalizer() {
  return [](std::string text) { return lower_case(text); };
}

MOR1E_INLINE normalizer strip_accents_normalizer() {
  return [](std::string text) { return detail::without(text, is_mark); };
}

MOR1E_INLINE normalizer strip_normalizer(bool left, bool right) {
  return [left, right](std::string text) {
    std::size_t begin = text.size(), end = 0;  // of what is not white space
    for (std::size_t at = 0, next = 0; at < text.size(); at = next) {
      if (is_white_space(next_character(text, next))) continue;
      begin = std::min(begin, at);
      end = next;
    }
    if (begin >= end) return std::string(left || right ? "" : text);
    return text.substr(left ? begin : 0, (right ? end : text.size()) - (left ? begin : 0));
  };
}

MOR1E_INLINE normalizer prepend_normalizer(std::string head) {
  return [head = std::move(head)](std::string text) { return text.empty() ? text : head + text; };
}

MOR1E_INLINE normalizer replace_normalizer(std::string what, std::string with) {
  return [what = std::move(what), with = std::move(with)](std::string text) { return replaced(text, what, with); };
}

MOR1E_INLINE normalizer replace_normalizer(regex what, std::string with) {
  return [what = std::move(what), with = std::move(with)](std::string text) {
    std::string out;
    std::size_t at = 0;
    for (const byte_range& hit : what.matches(text)) {
      out.append(text, at, hit.begin - at).append(with);
      at = hit.end;
    }
    return out.append(text, at);
  };
}

MOR1E_INLINE normalizer normalizer_sequence(std::vector<normalizer> steps) {
  return [steps = std::move(steps)](std::string text) {
    for (const normalizer& step : steps)
      if (step) text = step(std::move(text));
    return text;
  };
}

}  // namespace mor1e::texts
