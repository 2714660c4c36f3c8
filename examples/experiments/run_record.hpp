// What is kept of one run of a matrix.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/eval/report.hpp"
#include "mor1e/eval/scoring.hpp"

namespace mor1e::program {

/// The items of one task among those scored: they lie together.
struct scored_task {
  std::string name;
  index_t items = 0;
  double chance = 0;  ///< expected share of right guesses
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(scored_task, name, items, chance)

/// By the name of a metric one '0' or '1' an item, in the order in which all runs score them.
using item_marks = std::map<std::string, std::string>;

struct run_record {
  std::string size;
  std::int64_t parameters = 0;
  double learning_rate = 0;
  double own_scale = 0, scale = 0;  ///< of the update per rank at the start: the method's own, and as it was run
  double last_loss = 0;
  double answer_log_probability = 0;  ///< of the right answers after training, mean over the items
  double step_seconds = 0;            ///< median
  double seconds = 0;                 ///< of the training
  std::uint64_t step_memory = 0;      ///< bytes of the slab of a step
  std::vector<scored_task> tasks;
  item_marks base, right, permuted;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(run_record, size, parameters, learning_rate, own_scale, scale, last_loss,
                                   answer_log_probability, step_seconds, seconds, step_memory, tasks, base, right,
                                   permuted)

/// Marks of every metric by which all items with choices were asked.
inline item_marks marks(std::span<const eval::item_score> scores) {
  const auto choices = [](const eval::item_score& item) { return item.choices > 0; };
  const auto items = std::size_t(std::count_if(scores.begin(), scores.end(), choices));
  item_marks out;
  for (const eval::metric m : eval::metrics) {
    std::string of;
    for (const auto& item : scores)
      if (const auto right = eval::is_right(item, m)) of += *right ? '1' : '0';
    if (!of.empty() && of.size() == items) out.emplace(eval::name_of(m), of);
  }
  return out;
}

inline std::vector<scored_task> tasks_of(std::span<const eval::item_score> scores) {
  std::vector<scored_task> out;
  for (const auto& task : eval::summarise(scores).tasks)
    if (task.choice_items) out.push_back({task.task, task.choice_items, task.chance});
  return out;
}

}  // namespace mor1e::program
