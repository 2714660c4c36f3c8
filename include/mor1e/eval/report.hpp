// Accuracies of a scored set, and how two scorings of the same items differ.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mor1e/core/config.hpp"
#include "mor1e/eval/scoring.hpp"
#include "mor1e/eval/statistics.hpp"

namespace mor1e::eval {

/// Items that are right among those asked.
struct tally {
  index_t hits = 0;
  index_t count = 0;

  double rate() const { return count ? double(hits) / double(count) : 0; }
  interval range() const { return wilson(hits, count); }
};

/// The items of one task, or all of them.
struct task_report {
  std::string task;
  index_t items = 0;
  index_t choice_items = 0;                      ///< items that are no instructions
  double chance = 0;                             ///< expected share of right guesses among these
  double majority = 0;                           ///< share of the most frequent right choice number
  std::array<tally, metrics.size()> right = {};  ///< in the order of `metrics`; count 0: not asked
  tally format;                                  ///< answers that are a letter at all
  std::optional<double> answer_log_probability;  ///< mean over the items; of the text, else of the letter
  index_t output_tokens = 0;                     ///< of instructions
  double output_loss = 0;                        ///< negative log-likelihood, mean over these tokens

  const tally& of(metric m) const { return right[std::size_t(m)]; }
};

struct report {
  std::vector<task_report> tasks;  ///< in the order in which they first occur
  task_report all;
};

/// Counts. Throws `value_error` for no items.
MOR1E_INLINE report summarise(std::span<const item_score> items);
/// A table for people: one line a task and one for all, accuracies in per cent with their 95 % intervals, and, where
/// there are instructions, their loss and perplexity.
MOR1E_INLINE std::string table(const report& of);
MOR1E_INLINE nlohmann::json to_json(const report& of);
/// One item as --log writes it.
MOR1E_INLINE nlohmann::json to_json(const item_score& item);

/// Two scorings of the same items.
struct pairing {
  std::string task;  ///< empty: all
  index_t items = 0;
  index_t before = 0, after = 0;                                        ///< right
  index_t won = 0;                                                      ///< right only after
  index_t lost = 0;                                                     ///< right only before
  double p = 1;                                                         ///< exact two-sided McNemar test
  std::optional<double> log_probability_before, log_probability_after;  ///< mean, of the right answers

  /// Whether the difference can be told from chance.
  bool moved() const { return p <= 0.05; }
};

struct comparison {
  metric by = metric::sum;
  std::vector<pairing> tasks;
  pairing all;

  /// The tasks that did not move.
  MOR1E_INLINE std::vector<std::string> unmoved() const;
};

/// Over the items that were asked in this way, both times. Throws `value_error` naming the first item that is not the
/// same in both, and for none that was asked.
MOR1E_INLINE comparison compare(std::span<const item_score> before, std::span<const item_score> after, metric by);
/// The ways to compare these items: `sum` if any was scored by the text of its choices, `letter` if any by letters.
MOR1E_INLINE std::vector<metric> headlines(std::span<const item_score> items);
/// A table for people, ending with the list of what did not move.
MOR1E_INLINE std::string table(const comparison& of);
MOR1E_INLINE nlohmann::json to_json(const comparison& of);

}  // namespace mor1e::eval

#ifndef MOR1E_COMPILED
#include "mor1e/eval/report.ipp"
#endif
