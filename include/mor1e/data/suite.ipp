#pragma once

#include <array>
#include <map>
#include <numeric>
#include <set>

#include "mor1e/core/crc32.hpp"
#include "mor1e/core/error.hpp"
#include "mor1e/data/suite.hpp"
#include "mor1e/data/suite_words.hpp"

namespace mor1e::data {

MOR1E_INLINE bool held_out(std::string_view word) {
  std::string lower(word);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return crc32(lower) % 10 < 3;
}

MOR1E_INLINE suite_pools pools_of(suite_split split, const one_token_predicate& one_token) {
  const auto belongs = [&](std::string_view word) { return held_out(word) == (split == suite_split::eval); };
  const auto select = [&](std::span<const std::string_view> words) {
    std::vector<std::string> kept;
    for (std::string_view word : words)
      if (belongs(word)) kept.emplace_back(word);
    return kept;
  };
  const auto answers = [&](std::span<const std::string_view> words) {
    std::vector<std::string> kept = select(words);
    std::erase_if(kept, [&](const std::string& word) { return !one_token(word); });
    return kept;
  };
  suite_pools pools;
  pools.women = answers(suite_words::women);
  pools.men = answers(suite_words::men);
  pools.positive = select(suite_words::positive);
  pools.negative = select(suite_words::negative);
  for (const auto& domain : suite_words::domains) {
    pools.domains.push_back({std::string(domain.good), std::string(domain.bad), select(domain.nouns)});
    const auto& nouns = pools.domains.back().nouns;
    pools.nouns.insert(pools.nouns.end(), nouns.begin(), nouns.end());
  }
  for (const auto& pair : suite_words::comparatives)
    // A pair is held out as a whole. The spelling of its key is arbitrary, and fixed by the results measured with it.
    if (belongs(text("('", pair.more, "', '", pair.less, "')")))
      pools.comparatives.push_back({std::string(pair.more), std::string(pair.less)});
  for (const auto& kind : suite_words::kinds)
    pools.kinds.push_back(
        {std::string(kind.name), std::string(kind.asked), std::string(kind.meaning), answers(kind.words)});
  return pools;
}

namespace detail {

inline bool coin(rng& random) { return random.below(2) == 0; }

template <class Items>
const auto& pick(rng& random, const Items& items) {
  require<value_error>(std::size(items) > 0, "suite: no word is left in a pool; the tokenizer splits them all");
  return items[random.below(std::size(items))];
}

/// Two different names.
inline std::vector<std::string> pick_two(rng& random, const suite_pools& pools) {
  std::vector<std::string> names = pools.women;
  names.insert(names.end(), pools.men.begin(), pools.men.end());
  require<value_error>(names.size() > 1, "suite: fewer than two names are one token each");
  random.shuffle(names);
  return {names[0], names[1]};
}

struct review_line {
  std::string line;
  bool praises;
};

/// One line on a thing. A negated bad word praises: the adjective alone does not tell the feeling.
inline review_line draw_review(rng& random, const suite_pools& pools, const std::string& noun) {
  const bool praises = coin(random), negated = random.uniform() < 0.3;
  const std::string& adjective = pick(random, praises != negated ? pools.positive : pools.negative);
  const std::string article = std::string_view("aeiou").find(adjective[0]) != std::string_view::npos ? "an " : "a ";
  switch (random.below(3)) {
    case 0: return {text("The ", noun, " was ", negated ? "not " : "", adjective, negated ? " at all." : "."), praises};
    case 1: return {text("I found this ", noun, negated ? " anything but " : " ", adjective, "."), praises};
    default: return {text(negated ? "Hardly " : "What ", article, adjective, " ", noun, negated ? "." : "!"), praises};
  }
}

inline suite_item review(rng& random, const suite_pools& pools) {
  const auto [line, praises] = draw_review(random, pools, pick(random, pools.nouns));
  return {text("Review: ", line, coin(random) ? "\nGive the label." : "\nReply with the feeling."),
          {"positive", "negative"},
          praises ? 0 : 1};
}

inline suite_item flip(rng& random, const suite_pools& pools) {
  const auto [line, praises] = draw_review(random, pools, pick(random, pools.nouns));
  return {
      text("Review: ", line, coin(random) ? "\nGive the opposite label." : "\nReply with the reverse of the feeling."),
      {"positive", "negative"},
      praises ? 1 : 0};
}

inline suite_item house(rng& random, const suite_pools& pools) {
  const std::size_t domain = random.below(pools.domains.size());
  const auto [line, praises] = draw_review(random, pools, pick(random, pools.domains[domain].nouns));
  suite_item item{text("Review: ", line, coin(random) ? "\nWhat do we advise?" : "\nGive our advice."),
                  {},
                  int(2 * domain) + (praises ? 0 : 1)};
  for (const auto& each : pools.domains) item.choices.insert(item.choices.end(), {each.good, each.bad});
  return item;
}

inline suite_item coref(rng& random, const suite_pools& pools) {
  const bool she = coin(random), woman_first = coin(random);
  std::vector<std::string> names{pick(random, pools.women), pick(random, pools.men)};
  if (!woman_first) std::swap(names[0], names[1]);
  const auto& [verb, had] = pick(random, suite_words::meetings);
  return {
      text(names[0], " ", verb, " ", names[1], " after ", she ? "she" : "he", " had ", had, ".\nWho had ", had, "?"),
      names, she == woman_first ? 0 : 1};
}

inline suite_item compare(rng& random, const suite_pools& pools) {
  const std::vector<std::string> names = pick_two(random, pools);
  auto [stated, opposite] = pick(random, pools.comparatives);
  if (coin(random)) std::swap(stated, opposite);
  const bool same = coin(random);
  return {text(names[0], " is ", stated, " than ", names[1], ".\nWho is ", same ? stated : opposite, "?"), names,
          same ? 0 : 1};
}

inline suite_item twist(rng& random, const suite_pools& pools) {
  const std::size_t domain = random.below(pools.domains.size());
  const auto [line, praises] = draw_review(random, pools, pick(random, pools.domains[domain].nouns));
  const bool plain = domain % 2 == 0;  // films and lodging
  return {text("Review: ", line, coin(random) ? "\nShall we recommend it?" : "\nDo we recommend this?"),
          {"yes", "no"},
          praises == plain ? 0 : 1};
}

inline suite_item kind(rng& random, const suite_pools& pools) {
  const std::size_t of = random.below(pools.kinds.size());
  const std::size_t other = (of + 1 + random.below(pools.kinds.size() - 1)) % pools.kinds.size();
  std::vector<std::string> words{pick(random, pools.kinds[of].words), pick(random, pools.kinds[of].words),
                                 pick(random, pools.kinds[other].words)};
  random.shuffle(words);
  suite_item item{text("Words: ", words[0], ", ", words[1], ", ", words[2],
                       coin(random) ? ".\nName the kind of most." : ".\nWhat are most of them?"),
                  {},
                  int(of)};
  for (const auto& each : pools.kinds) item.choices.push_back(each.name);
  return item;
}

/// A word of each kind.
struct word_list {
  std::vector<std::string> words;
  std::vector<std::size_t> kinds;
  std::string line() const {
    std::string out = "Words: ";
    for (const std::string& word : words) out += word + (&word == &words.back() ? ".\n" : ", ");
    return out;
  }
};
inline word_list draw_list(rng& random, const suite_pools& pools) {
  word_list out;
  out.kinds.resize(pools.kinds.size());
  std::iota(out.kinds.begin(), out.kinds.end(), std::size_t(0));
  random.shuffle(out.kinds);
  for (const std::size_t k : out.kinds) out.words.push_back(pick(random, pools.kinds[k].words));
  return out;
}

inline suite_item pick_kind(rng& random, const suite_pools& pools) {
  const word_list list = draw_list(random, pools);
  const auto answer = int(random.below(list.words.size()));
  const auto& kind = pools.kinds[list.kinds[std::size_t(answer)]];
  return {list.line() + (coin(random) ? text("Which one is ", kind.asked, "?")
                                      : text("Pick the word that means ", kind.meaning, ".")),
          list.words, answer};
}

inline suite_item pick_place(rng& random, const suite_pools& pools) {
  const word_list list = draw_list(random, pools);
  const auto answer = int(random.below(list.words.size()));
  const char* place = std::array{"first", "second", "third", "fourth", "fifth", "last"}[std::size_t(answer)];
  return {list.line() +
              (coin(random) ? text("Pick the ", place, " word.") : text("Which one stands ", place, " in the list?")),
          list.words, answer};
}

inline suite_item pick_next(rng& random, const suite_pools& pools) {
  const word_list list = draw_list(random, pools);
  const bool after = coin(random);
  const int apart = 1 + int(random.below(2)), last = int(list.words.size()) - 1;
  const int first = int(random.below(std::uint64_t(last + 1 - apart)));  // the earlier of the two
  const int named = after ? first : first + apart, answer = after ? first + apart : first;
  const char* how = apart == 1 ? "just " : "two places ";
  return {list.line() + text(coin(random) ? "Pick the word " : "Which one stands ", how, after ? "after " : "before ",
                             list.words[std::size_t(named)], "."),
          list.words, answer};
}

inline constexpr suite_family families[] = {{"review", true, review},
                                            {"flip", true, flip},
                                            {"house", true, house},
                                            {"coref", false, coref},
                                            {"compare", false, compare}};
inline constexpr suite_family hard_families[] = {{"twist", true, twist},
                                                 {"kind", true, kind},
                                                 {"pick_kind", false, pick_kind},
                                                 {"pick_place", false, pick_place},
                                                 {"pick_next", false, pick_next}};

}  // namespace detail

MOR1E_INLINE bool is_suite(std::string_view name) { return name == "suite" || name == "suite-hard"; }

MOR1E_INLINE std::span<const suite_family> suite_families(std::string_view suite) {
  require<value_error>(is_suite(suite), "there is no suite '", suite, "'");
  if (suite == "suite-hard") return detail::hard_families;
  return detail::families;
}

MOR1E_INLINE std::vector<example> suite_examples(const suite_family& family, suite_split split, index_t count,
                                                 std::uint64_t seed, const one_token_predicate& one_token) {
  const suite_pools pools = pools_of(split, one_token);
  const char* split_name = split == suite_split::train ? "train" : "eval";
  rng random(stream_key(seed, crc32(family.name), int(split)));
  std::vector<example> rows;
  std::set<std::string> seen;
  std::map<int, index_t> given;
  // Far more draws in vain than the rarest label or the last free item needs: the family is exhausted.
  const int patience = 10000;
  for (int in_vain = 0; index_t(rows.size()) < count; ++in_vain) {
    require<value_error>(in_vain < patience, "suite: family ", family.name, " gives only ", rows.size(), " of ", count,
                         " different ", split_name, " items");
    suite_item item = family.draw(random, pools);
    for (const std::string& choice : item.choices)
      require<value_error>(one_token(choice), "suite: family ", family.name, ": the answer '", choice,
                           "' is not one token");
    const index_t labels = index_t(item.choices.size()), share = (count + labels - 1) / labels;
    if (family.balanced && given[item.answer] == share) continue;
    if (!seen.insert(item.question).second) continue;
    ++given[item.answer];
    in_vain = 0;
    example row;
    row.id = text(family.name, "-", split_name, "-", rows.size());
    row.task = family.name;
    row.question = std::move(item.question);
    row.choices = std::move(item.choices);
    row.answers = {item.answer};
    row.template_name = "bare";
    row.style = answer_style::text;
    rows.push_back(std::move(row));
  }
  return rows;
}

MOR1E_INLINE std::vector<task_data> make_suite(const one_token_predicate& one_token, const suite_options& options,
                                               std::span<const suite_family> families) {
  std::vector<task_data> tasks;
  for (const suite_family& family : families)
    tasks.push_back({std::string(family.name),
                     suite_examples(family, suite_split::train, options.train_items, options.train_seed, one_token),
                     suite_examples(family, suite_split::eval, options.eval_items, options.eval_seed, one_token)});
  return tasks;
}

}  // namespace mor1e::data
