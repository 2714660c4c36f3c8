// Definitions of data/overlap.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <unordered_map>

#include "mor1e/data/overlap.hpp"

namespace mor1e::data {

namespace detail {

/// Words in lower case; what is neither a letter nor a digit of ASCII, nor beyond ASCII, parts them.
inline std::vector<std::string> words_of(std::string_view from) {
  std::vector<std::string> out;
  bool inside = false;
  for (const char c : from) {
    const auto byte = static_cast<unsigned char>(c);
    const bool capital = c >= 'A' && c <= 'Z';
    const bool part = byte >= 0x80 || capital || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (part) {
      if (!inside) out.emplace_back();
      out.back() += capital ? char(c - 'A' + 'a') : c;
    }
    inside = part;
  }
  return out;
}

/// The words as one text, each field on a line of its own.
inline std::string plain(const std::string& field) {
  std::string out;
  for (const std::string& word : words_of(field)) out += word + ' ';
  return out + '\n';
}
inline std::string plain_question(const example& row) { return plain(row.context) + plain(row.question); }
inline std::string plain_whole(const example& row) {
  std::string out = plain_question(row);
  for (const std::string& choice : row.choices) out += plain(choice);
  return out;
}

/// Hashes of all sequences of three words (fewer in a shorter text), each once.
inline std::vector<std::uint64_t> triples_of(const example& row) {
  std::string whole = row.context + '\n' + row.question;
  for (const std::string& choice : row.choices) whole += '\n' + choice;
  const std::vector<std::string> words = words_of(whole);
  std::vector<std::uint64_t> out;
  const std::size_t length = std::min<std::size_t>(3, words.size());
  for (std::size_t i = 0; length > 0 && i + length <= words.size(); ++i) {
    std::uint64_t hash = 14695981039346656037u;  // FNV-1a
    for (std::size_t w = i; w < i + length; ++w)
      for (const char c : words[w] + ' ') hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    out.push_back(hash);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

/// Rows of the training by what they hold. Two sets that share a part p of what either has also share one of the
/// first (1 - p) n + 1 members of each, in any order: in that of rarity few rows share those.
class seen_rows {
 public:
  explicit seen_rows(const std::vector<example>& rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      whole_.emplace(plain_whole(rows[i]), i);
      question_.emplace(plain_question(rows[i]), i);
      triples_.push_back(triples_of(rows[i]));
      for (const std::uint64_t t : triples_.back()) ++frequency_[t];
    }
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (const std::uint64_t t : rarest(triples_[i])) holders_[t].push_back(i);
  }

  std::optional<overlap> find(const example& row, std::size_t place) const {
    const std::vector<std::uint64_t> own = triples_of(row);
    if (const auto at = whole_.find(plain_whole(row)); at != whole_.end())
      return overlap{meeting::same, place, at->second, 1};
    if (const auto at = question_.find(plain_question(row)); at != question_.end() && !row.is_instruction())
      return overlap{meeting::question, place, at->second, likeness(own, triples_[at->second])};
    std::optional<overlap> best;
    for (const std::uint64_t t : rarest(own))
      if (const auto holders = holders_.find(t); holders != holders_.end())
        for (const std::size_t i : holders->second)
          if (const double like = likeness(own, triples_[i]);
              like >= least_likeness && (!best || like > best->likeness))
            best = overlap{meeting::near, place, i, like};
    return best;
  }

 private:
  std::vector<std::uint64_t> rarest(std::vector<std::uint64_t> of) const {
    const auto count = [&](std::uint64_t t) {
      const auto at = frequency_.find(t);
      return at == frequency_.end() ? 0 : at->second;
    };
    std::sort(of.begin(), of.end(),
              [&](std::uint64_t a, std::uint64_t b) { return std::pair(count(a), a) < std::pair(count(b), b); });
    of.resize(std::min(of.size(), std::size_t((1 - least_likeness) * double(of.size())) + 1));
    return of;
  }
  static double likeness(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
    std::vector<std::uint64_t> both;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    const std::size_t either = a.size() + b.size() - both.size();
    return either == 0 ? 0 : double(both.size()) / double(either);
  }

  std::unordered_map<std::string, std::size_t> whole_, question_;
  std::vector<std::vector<std::uint64_t>> triples_;
  std::unordered_map<std::uint64_t, int> frequency_;
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> holders_;
};

}  // namespace detail

MOR1E_INLINE std::string_view name_of(meeting how) {
  constexpr std::string_view names[] = {"same", "question", "near"};
  return names[int(how)];
}

MOR1E_INLINE std::vector<overlap> overlaps(const std::vector<example>& train, const std::vector<example>& eval) {
  const detail::seen_rows seen(train);
  std::vector<overlap> out;
  for (std::size_t i = 0; i < eval.size(); ++i)
    if (const auto found = seen.find(eval[i], i)) out.push_back(*found);
  return out;
}

}  // namespace mor1e::data
