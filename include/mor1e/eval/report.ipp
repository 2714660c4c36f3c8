// Definitions of eval/report.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/eval/report.hpp"

namespace mor1e::eval {

namespace detail {

/// A mean of what there is.
struct running_mean {
  double sum = 0;
  index_t count = 0;

  void add(const std::optional<double>& value) {
    if (!value) return;
    sum += *value;
    ++count;
  }
  std::optional<double> value() const { return count ? std::optional(sum / double(count)) : std::nullopt; }
};

template <class... Arguments>
std::string printed(const char* format, Arguments... arguments) {
  char line[128];
  std::snprintf(line, sizeof line, format, arguments...);
  return line;
}

inline task_report report_of(std::string task, const std::vector<const item_score*>& items) {
  task_report out;
  out.task = std::move(task);
  std::map<int, index_t> answered;
  running_mean log_probability;
  double chance = 0;
  for (const item_score* item : items) {
    ++out.items;
    if (item->output) {
      out.output_tokens += item->output->tokens;
      out.output_loss -= item->output->log_probability;
      continue;
    }
    ++out.choice_items;
    chance += double(item->answers.size()) / double(item->choices);
    for (const int answer : item->answers) ++answered[answer];
    for (const metric m : metrics)
      if (const auto right = is_right(*item, m)) {
        ++out.right[std::size_t(m)].count;
        out.right[std::size_t(m)].hits += *right;
      }
    if (item->letter) {
      ++out.format.count;
      out.format.hits += item->letter->greedy >= 0;
    }
    log_probability.add(answer_log_probability(*item, item->loglik ? metric::sum : metric::letter));
  }
  if (out.choice_items) out.chance = chance / double(out.choice_items);
  for (const auto& [answer, count] : answered)
    out.majority = std::max(out.majority, double(count) / double(out.choice_items));
  out.answer_log_probability = log_probability.value();
  if (out.output_tokens) out.output_loss /= double(out.output_tokens);
  return out;
}

/// The items of each task, tasks in the order of their first items.
template <class Item>
std::vector<std::pair<std::string, std::vector<Item>>> by_task(std::span<const item_score> items,
                                                               Item (*of)(const item_score*, std::size_t)) {
  std::vector<std::pair<std::string, std::vector<Item>>> out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto at = std::find_if(out.begin(), out.end(), [&](const auto& group) { return group.first == items[i].task; });
    if (at == out.end()) at = out.insert(out.end(), {items[i].task, {}});
    at->second.push_back(of(&items[i], i));
  }
  return out;
}

/// Cells, the first column to the left, the others to the right.
inline std::string aligned(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::size_t> width;
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (width.size() <= i) width.push_back(0);
      width[i] = std::max(width[i], line[i].size());
    }
  std::string out;
  for (const auto& line : lines) {
    std::string row;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string space(width[i] - line[i].size(), ' ');
      row += i == 0 ? line[i] + space : "  " + space + line[i];
    }
    row.erase(row.find_last_not_of(' ') + 1);
    out += row + '\n';
  }
  return out;
}

inline std::string with_interval(const tally& of) {
  if (!of.count) return "";
  const interval range = of.range();
  return printed("%.1f [%.0f, %.0f]", 100 * of.rate(), 100 * range.low, 100 * range.high);
}

inline nlohmann::json or_null(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

inline nlohmann::json to_json(const tally& of) {
  const interval range = of.range();
  return {{"accuracy", of.rate()}, {"low", range.low}, {"high", range.high}, {"right", of.hits}, {"n", of.count}};
}

inline nlohmann::json to_json(const task_report& of) {
  nlohmann::json out = {{"n", of.items}};
  if (of.choice_items) {
    out["chance"] = of.chance;
    out["majority"] = of.majority;
    out["answer_log_probability"] = or_null(of.answer_log_probability);
    for (const metric m : metrics)
      if (of.of(m).count) out["accuracy"][std::string(name_of(m))] = to_json(of.of(m));
    if (of.format.count) out["format"] = to_json(of.format);
  }
  if (of.output_tokens) {
    out["tokens"] = of.output_tokens;
    out["loss"] = of.output_loss;
    out["perplexity"] = std::exp(of.output_loss);
  }
  return out;
}

inline nlohmann::json to_json(const pairing& of) {
  return {{"n", of.items},
          {"before", of.before},
          {"after", of.after},
          {"won", of.won},
          {"lost", of.lost},
          {"p", of.p},
          {"answer_log_probability_before", or_null(of.log_probability_before)},
          {"answer_log_probability_after", or_null(of.log_probability_after)}};
}

inline pairing pairing_of(std::string task, std::span<const item_score> before, std::span<const item_score> after,
                          const std::vector<std::size_t>& which, metric by) {
  pairing out;
  out.task = std::move(task);
  running_mean log_before, log_after;
  for (const std::size_t i : which) {
    const auto was = is_right(before[i], by), is = is_right(after[i], by);
    if (!was || !is) continue;
    ++out.items;
    out.before += *was;
    out.after += *is;
    out.won += *is && !*was;
    out.lost += *was && !*is;
    log_before.add(answer_log_probability(before[i], by));
    log_after.add(answer_log_probability(after[i], by));
  }
  out.p = mcnemar_exact(out.lost, out.won);
  out.log_probability_before = log_before.value();
  out.log_probability_after = log_after.value();
  return out;
}

}  // namespace detail

MOR1E_INLINE report summarise(std::span<const item_score> items) {
  require<value_error>(!items.empty(), "report: there are no items");
  report out;
  std::vector<const item_score*> all;
  using one = const item_score*;
  for (const auto& [task, of] : detail::by_task<one>(items, [](one item, std::size_t) { return item; })) {
    out.tasks.push_back(detail::report_of(task, of));
    all.insert(all.end(), of.begin(), of.end());
  }
  out.all = detail::report_of("all", all);
  return out;
}

MOR1E_INLINE std::string table(const report& of) {
  std::vector<const task_report*> lines;
  for (const task_report& task : of.tasks) lines.push_back(&task);
  if (of.tasks.size() > 1) lines.push_back(&of.all);
  std::string out;
  if (of.all.choice_items) {
    std::vector<std::vector<std::string>> cells{{"task", "n", "chance", "majority"}};
    for (const metric m : metrics)
      if (of.all.of(m).count) cells[0].emplace_back(name_of(m));
    if (of.all.format.count) cells[0].push_back("format");
    cells[0].push_back("answer log p");
    for (const task_report* task : lines) {
      if (!task->choice_items) continue;
      auto& line = cells.emplace_back();
      line = {task->task, detail::printed("%lld", static_cast<long long>(task->choice_items)),
              detail::printed("%.1f", 100 * task->chance), detail::printed("%.1f", 100 * task->majority)};
      for (const metric m : metrics)
        if (of.all.of(m).count) line.push_back(detail::with_interval(task->of(m)));
      if (of.all.format.count)
        line.push_back(task->format.count ? detail::printed("%.1f", 100 * task->format.rate()) : "");
      line.push_back(task->answer_log_probability ? detail::printed("%.3f", *task->answer_log_probability) : "");
    }
    out += "accuracy in per cent, 95 % intervals\n" + detail::aligned(cells);
  }
  if (of.all.output_tokens) {
    std::vector<std::vector<std::string>> cells{{"task", "n", "tokens", "loss", "perplexity"}};
    for (const task_report* task : lines) {
      if (!task->output_tokens) continue;
      cells.push_back({task->task, detail::printed("%lld", static_cast<long long>(task->items - task->choice_items)),
                       detail::printed("%lld", static_cast<long long>(task->output_tokens)),
                       detail::printed("%.4f", task->output_loss),
                       detail::printed("%.3f", std::exp(task->output_loss))});
    }
    out += detail::aligned(cells);
  }
  return out;
}

MOR1E_INLINE nlohmann::json to_json(const report& of) {
  nlohmann::json tasks = nlohmann::json::object();
  for (const task_report& task : of.tasks) tasks[task.task] = detail::to_json(task);
  return {{"tasks", tasks}, {"all", detail::to_json(of.all)}};
}

MOR1E_INLINE nlohmann::json to_json(const item_score& item) {
  nlohmann::json out = {{"id", item.id}, {"task", item.task}};
  if (item.output) {
    out["tokens"] = item.output->tokens;
    out["log_probability"] = item.output->log_probability;
    return out;
  }
  out["answer"] = item.answers.size() == 1 ? nlohmann::json(item.answers[0]) : nlohmann::json(item.answers);
  if (item.loglik) {
    const loglik_score& from = *item.loglik;
    nlohmann::json choices = nlohmann::json::array();
    for (const choice_score& c : from.choices)
      choices.push_back({{"sum", c.sum},
                         {"mean", c.mean},
                         {"per_byte", c.per_byte},
                         {"tokens", c.log_probabilities.size()},
                         {"greedy", c.greedy}});
    out["loglik"] = {{"choices", choices},          {"pick_sum", from.pick_sum},
                     {"pick_mean", from.pick_mean}, {"pick_per_byte", from.pick_per_byte},
                     {"exact", from.exact},         {"answer_log_probability", from.answer_log_probability}};
  }
  if (item.letter) {
    const letter_score& from = *item.letter;
    out["letter"] = {{"logits", from.logits},
                     {"pick", from.pick},
                     {"greedy_token", from.greedy_token},
                     {"greedy_text", from.greedy_text},
                     {"greedy", from.greedy},
                     {"answer_log_probability", detail::or_null(std::isfinite(from.answer_log_probability)
                                                                    ? std::optional(from.answer_log_probability)
                                                                    : std::nullopt)}};
  }
  for (const metric m : metrics)
    if (const auto right = is_right(item, m)) out["right"][std::string(name_of(m))] = *right;
  return out;
}

MOR1E_INLINE std::vector<std::string> comparison::unmoved() const {
  std::vector<std::string> out;
  for (const pairing& task : tasks)
    if (!task.moved()) out.push_back(task.task);
  return out;
}

MOR1E_INLINE comparison compare(std::span<const item_score> before, std::span<const item_score> after, metric by) {
  require<value_error>(before.size() == after.size(), "comparison: ", before.size(), " items against ", after.size());
  for (std::size_t i = 0; i < before.size(); ++i)
    require<value_error>(before[i].id == after[i].id && before[i].task == after[i].task, "comparison: item ", i, " is ",
                         before[i].id, " of ", before[i].task, " before and ", after[i].id, " of ", after[i].task,
                         " after");
  comparison out;
  out.by = by;
  std::vector<std::size_t> all;
  for (const auto& [task, which] :
       detail::by_task<std::size_t>(before, [](const item_score*, std::size_t i) { return i; })) {
    pairing pair = detail::pairing_of(task, before, after, which, by);
    if (pair.items) out.tasks.push_back(std::move(pair));
    all.insert(all.end(), which.begin(), which.end());
  }
  out.all = detail::pairing_of("", before, after, all, by);
  require<value_error>(out.all.items > 0, "comparison: no item was scored by ", name_of(by), " both times");
  return out;
}

MOR1E_INLINE std::vector<metric> headlines(std::span<const item_score> items) {
  std::vector<metric> out;
  for (const metric m : {metric::sum, metric::letter})
    if (std::any_of(items.begin(), items.end(), [m](const item_score& item) { return is_right(item, m).has_value(); }))
      out.push_back(m);
  return out;
}

MOR1E_INLINE std::string table(const comparison& of) {
  std::vector<std::vector<std::string>> cells{{"task", "n", "before", "after", "won", "lost", "p", "answer log p"}};
  const auto add = [&](const pairing& pair, const std::string& name) {
    const auto count = [](index_t n) { return detail::printed("%lld", static_cast<long long>(n)); };
    const auto share = [&](index_t n) {
      return detail::printed("%.1f", pair.items ? 100 * double(n) / double(pair.items) : 0.0);
    };
    const bool probabilities = pair.log_probability_before && pair.log_probability_after;
    cells.push_back({name, count(pair.items), share(pair.before), share(pair.after), count(pair.won), count(pair.lost),
                     detail::printed("%.2g", pair.p),
                     probabilities
                         ? detail::printed("%.3f -> %.3f", *pair.log_probability_before, *pair.log_probability_after)
                         : ""});
  };
  for (const pairing& task : of.tasks) add(task, task.task);
  if (of.tasks.size() != 1) add(of.all, "all");
  std::string out =
      "accuracy by " + std::string(name_of(of.by)) + " in per cent, McNemar test\n" + detail::aligned(cells);
  std::string names;
  for (const std::string& task : of.unmoved()) names += (names.empty() ? "" : ", ") + task;
  return out + "did not move (p > 0.05): " + (names.empty() ? "none" : names) + "\n";
}

MOR1E_INLINE nlohmann::json to_json(const comparison& of) {
  nlohmann::json tasks = nlohmann::json::object();
  for (const pairing& task : of.tasks) tasks[task.task] = detail::to_json(task);
  return {{"by", name_of(of.by)}, {"tasks", tasks}, {"all", detail::to_json(of.all)}, {"unmoved", of.unmoved()}};
}

}  // namespace mor1e::eval
