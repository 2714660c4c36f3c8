#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "mor1e/text/byte_alphabet.hpp"
#include "mor1e/text/normalizer.hpp"
#include "mor1e/text/pre_tokenizer.hpp"
#include "mor1e/text/unicode.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

namespace detail {

/// A stretch of a text: a delimiter, or what lies between two.
struct stretch {
  std::size_t begin;
  std::size_t end;
  bool is_delimiter;
};

inline std::vector<stretch> stretches(std::size_t size, const std::vector<byte_range>& found, bool inverted) {
  std::vector<stretch> out;
  std::size_t at = 0;
  for (const byte_range& range : found) {
    if (range.begin > at) out.push_back({at, range.begin, inverted});
    out.push_back({range.begin, range.end, !inverted});
    at = range.end;
  }
  if (at < size) out.push_back({at, size, inverted});
  return out;
}

/// Joins delimiters with their neighbours. A delimiter beside a delimiter stays apart: only one joins its neighbour.
inline std::vector<stretch> merged(std::vector<stretch> parts, delimiter behaviour) {
  if (behaviour == delimiter::isolated || behaviour == delimiter::removed) return parts;
  const bool backwards = behaviour == delimiter::merged_with_next;
  if (backwards) std::reverse(parts.begin(), parts.end());
  std::vector<stretch> out;
  bool after_delimiter = false;
  for (const stretch& part : parts) {
    const bool joins = behaviour == delimiter::contiguous ? part.is_delimiter == after_delimiter
                                                          : part.is_delimiter && !after_delimiter;
    after_delimiter = part.is_delimiter;
    if (!joins || out.empty())
      out.push_back(part);
    else if (backwards)
      out.back().begin = part.begin;
    else
      out.back().end = part.end;
  }
  if (backwards) std::reverse(out.begin(), out.end());
  return out;
}

/// Replaces every piece by what `cut(piece, out)` appends.
template <class Cut>
void replace_each(std::vector<piece>& pieces, Cut cut) {
  std::vector<piece> out;
  out.reserve(pieces.size());
  for (piece& p : pieces) cut(p, out);
  pieces = std::move(out);
}

}  // namespace detail

MOR1E_INLINE pre_tokenizer split_pre_tokenizer(delimiter_finder find, delimiter behaviour, bool inverted) {
  return [find = std::move(find), behaviour, inverted](std::vector<piece>& pieces) {
    detail::replace_each(pieces, [&](piece& p, std::vector<piece>& out) {
      for (const auto& part : detail::merged(detail::stretches(p.text.size(), find(p.text), inverted), behaviour)) {
        if (behaviour == delimiter::removed && part.is_delimiter) continue;
        out.push_back({p.text.substr(part.begin, part.end - part.begin), p.at_start && part.begin == 0});
      }
    });
  };
}

MOR1E_INLINE delimiter_finder finds(regex pattern) {
  return [pattern = std::move(pattern)](const std::string& text) { return pattern.matches(text); };
}

MOR1E_INLINE delimiter_finder finds(std::string what) {
  return [what = std::move(what)](const std::string& text) {
    std::vector<byte_range> found;
    if (what.empty()) return found;
    for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size())
      found.push_back({at, at + what.size()});
    return found;
  };
}

MOR1E_INLINE delimiter_finder finds(bool (*kind)(char32_t)) {
  return [kind](const std::string& text) {
    std::vector<byte_range> found;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at;
      if (kind(next_character(text, at))) found.push_back({begin, at});
    }
    return found;
  };
}

MOR1E_INLINE pre_tokenizer byte_level_pre_tokenizer(bool add_prefix_space, bool split) {
  return [add_prefix_space,
          pattern = split ? std::optional<regex>(gpt2_split) : std::nullopt](std::vector<piece>& pieces) {
    detail::replace_each(pieces, [&](piece& p, std::vector<piece>& out) {
      if (add_prefix_space && !p.text.starts_with(' ')) p.text.insert(0, 1, ' ');
      if (!pattern) return out.push_back({byte_characters(p.text), p.at_start});
      for (const auto& part : detail::stretches(p.text.size(), pattern->matches(p.text), false))
        out.push_back({byte_characters(std::string_view(p.text).substr(part.begin, part.end - part.begin)),
                       p.at_start && part.begin == 0});
    });
  };
}

MOR1E_INLINE pre_tokenizer digits_pre_tokenizer(bool individual) {
  return split_pre_tokenizer(finds(is_number), individual ? delimiter::isolated : delimiter::contiguous);
}

MOR1E_INLINE pre_tokenizer bert_pre_tokenizer() {
  return pre_tokenizer_sequence({split_pre_tokenizer(finds(is_white_space), delimiter::removed),
                                 split_pre_tokenizer(finds(is_punctuation), delimiter::isolated)});
}

MOR1E_INLINE pre_tokenizer metaspace_pre_tokenizer(std::string replacement, prepend_scheme scheme, bool split) {
  const auto cut = split ? split_pre_tokenizer(finds(replacement), delimiter::merged_with_next) : pre_tokenizer();
  return [replacement = std::move(replacement), scheme, cut](std::vector<piece>& pieces) {
    for (piece& p : pieces) {
      p.text = replaced(p.text, " ", replacement);
      const bool wanted = scheme == prepend_scheme::always || (scheme == prepend_scheme::first && p.at_start);
      if (wanted && !p.text.starts_with(replacement)) p.text.insert(0, replacement);
    }
    if (cut) cut(pieces);
  };
}

MOR1E_INLINE pre_tokenizer pre_tokenizer_sequence(std::vector<pre_tokenizer> steps) {
  return [steps = std::move(steps)](std::vector<piece>& pieces) {
    for (const pre_tokenizer& step : steps) step(pieces);
  };
}

}  // namespace mor1e::texts
