#pragma once

#include <array>
#include <cstdio>
#include <mutex>
#include <queue>
#include <shared_mutex>

#include "mor1e/core/error.hpp"
#include "mor1e/text/bpe.hpp"
#include "mor1e/text/utf8.hpp"

namespace mor1e::texts {

namespace detail {

/// The encodings of words seen before: natural text repeats most of its words. Never evicts, for a full cache of the
/// first words of a text holds its frequent ones; long words are not worth a place.
class word_cache {
 public:
  bool append(std::string_view word, std::vector<token_id>& ids) const {
    if (word.size() > longest) return false;
    const std::shared_lock lock(mutex_);
    const auto found = words_.find(word);
    if (found == words_.end()) return false;
    ids.insert(ids.end(), found->second.begin(), found->second.end());
    return true;
  }

  void store(std::string_view word, const std::vector<token_id>& ids) {
    if (word.size() > longest) return;
    const std::unique_lock lock(mutex_);
    if (words_.size() < capacity) words_.emplace(word, ids);
  }

 private:
  static constexpr std::size_t longest = 64;
  static constexpr std::size_t capacity = 1 << 16;
  mutable std::shared_mutex mutex_;
  string_map<std::vector<token_id>> words_;
};

inline std::uint64_t pair_key(token_id left, token_id right) {
  return std::uint64_t(std::uint32_t(left)) << 32 | std::uint32_t(right);
}

}  // namespace detail

MOR1E_INLINE bpe::bpe(vocabulary tokens, const std::vector<std::pair<std::string, std::string>>& merges,
                      bpe_options options)
    : word_model(std::move(tokens)), options_(std::move(options)), cache_(std::make_unique<detail::word_cache>()) {
  const auto id_of = [&](const std::string& token) {
    const auto id = this->tokens().id_of(token);
    require<value_error>(id.has_value(), "BPE: '", token, "' is merged but not in the vocabulary");
    return *id;
  };
  if (!options_.unknown_token.empty()) unknown_ = id_of(options_.unknown_token);
  merges_.reserve(merges.size());
  std::int32_t rank = 0;
  for (const auto& [left, right] : merges) {
    const token_id left_id = id_of(left), right_id = id_of(right);
    merges_.insert_or_assign(detail::pair_key(left_id, right_id), merge{rank++, id_of(left + right)});
  }
  if (!options_.byte_fallback) return;
  for (int byte = 0; byte < 256; ++byte) {
    std::array<char, 8> name;
    std::snprintf(name.data(), name.size(), "<0x%02X>", byte);
    byte_tokens_.push_back(this->tokens().id_of(name.data()));
  }
}

MOR1E_INLINE bpe::~bpe() = default;

MOR1E_INLINE void bpe::encode(std::string_view word, std::vector<token_id>& ids) const {
  if (cache_->append(word, ids)) return;
  if (options_.ignore_merges) {
    if (const auto whole = tokens().id_of(word)) return ids.push_back(*whole);
  }
  std::vector<token_id> own = characters_of(word);
  join(own);
  ids.insert(ids.end(), own.begin(), own.end());
  cache_->store(word, own);
}

MOR1E_INLINE std::vector<token_id> bpe::characters_of(std::string_view word) const {
  std::vector<token_id> ids;
  ids.reserve(word.size());
  bool after_unknown = false;
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t begin = at;
    next_character(word, at);
    const std::string_view character = word.substr(begin, at - begin);
    if (const auto id = tokens().id_of(character)) {
      ids.push_back(*id);
      after_unknown = false;
    } else {
      append_bytes_or_unknown(character, ids, after_unknown);
    }
  }
  return ids;
}

MOR1E_INLINE void bpe::append_bytes_or_unknown(std::string_view character, std::vector<token_id>& ids,
                                               bool& after_unknown) const {
  if (!byte_tokens_.empty()) {
    const std::size_t begin = ids.size();
    for (const char byte : character)
      if (const auto id = byte_tokens_[static_cast<unsigned char>(byte)]) ids.push_back(*id);
    if (ids.size() - begin == character.size()) {
      after_unknown = false;
      return;
    }
    ids.resize(begin);  // some byte has no token: the character is unknown as a whole
  }
  if (unknown_ && !(after_unknown && options_.fuse_unknown)) ids.push_back(*unknown_);
  after_unknown = true;
}

MOR1E_INLINE const bpe::merge* bpe::find_merge(token_id left, token_id right) const {
  const auto found = merges_.find(detail::pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

MOR1E_INLINE void bpe::join(std::vector<token_id>& ids) const {
  // A doubly linked list over the array, and a queue of the pairs that may be joined. A pair whose parts have changed
  // since stays in the queue and is recognised when it comes up: its rank is no longer that of what stands there.
  struct symbol {
    token_id id;
    int previous;
    int next;
  };
  struct candidate {
    std::int32_t rank;
    int at;
    bool operator>(const candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
  };
  constexpr token_id joined = -1;
  const int count = static_cast<int>(ids.size());
  std::vector<symbol> symbols;
  symbols.reserve(ids.size());
  for (int i = 0; i < count; ++i)
    symbols.push_back({ids[static_cast<std::size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1});
  const auto symbol_at = [&](int i) -> symbol& { return symbols[static_cast<std::size_t>(i)]; };
  const auto merge_at = [&](int i) -> const merge* {
    if (i < 0 || symbol_at(i).id == joined || symbol_at(i).next < 0) return nullptr;
    return find_merge(symbol_at(i).id, symbol_at(symbol_at(i).next).id);
  };
  std::priority_queue<candidate, std::vector<candidate>, std::greater<>> queue;
  const auto propose = [&](int i) {
    if (const merge* m = merge_at(i)) queue.push({m->rank, i});
  };
  for (int i = 0; i < count; ++i) propose(i);

  while (!queue.empty()) {
    const candidate best = queue.top();
    queue.pop();
    const merge* m = merge_at(best.at);
    if (!m || m->rank != best.rank) continue;
    symbol& left = symbol_at(best.at);
    symbol& right = symbol_at(left.next);
    left.id = m->result;
    right.id = joined;
    left.next = right.next;
    if (left.next >= 0) symbol_at(left.next).previous = best.at;
    propose(left.previous);
    propose(best.at);
  }
  ids.clear();
  for (const symbol& s : symbols)
    if (s.id != joined) ids.push_back(s.id);
}

}  // namespace mor1e::texts
