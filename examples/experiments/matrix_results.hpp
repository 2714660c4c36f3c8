// What the runs of a matrix came to, and what they say about each other: every contestant on the same items as the
// first, seed by seed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "experiments/contestant.hpp"
#include "experiments/run_record.hpp"
#include "mor1e/eval/statistics.hpp"

namespace mor1e::program {

/// A learning rate and what a run at it scored on the rows kept for that.
struct tried_rate {
  double rate = 0, percent = 0, log_probability = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(tried_rate, rate, percent, log_probability)

/// The one that scored best; of equals the one with the more probable answers.
inline double best_rate(std::span<const tried_rate> tried) {
  const auto better = [](const tried_rate& a, const tried_rate& b) {
    return std::pair(a.percent, a.log_probability) < std::pair(b.percent, b.log_probability);
  };
  return std::max_element(tried.begin(), tried.end(), better)->rate;
}

/// "smallest" or "largest" if the best of several rates is at the edge of those tried; else empty.
inline std::string edge_of(std::span<const tried_rate> tried, double best) {
  if (tried.size() < 2) return "";
  const auto less = [](const tried_rate& a, const tried_rate& b) { return a.rate < b.rate; };
  const auto [low, high] = std::minmax_element(tried.begin(), tried.end(), less);
  return best == low->rate ? "smallest" : best == high->rate ? "largest" : "";
}

/// The runs of one contestant, one a seed.
struct contestant_results {
  contestant of;
  std::optional<double> learning_rate;  ///< none while it is not chosen yet
  std::vector<tried_rate> tuned;
  std::vector<run_record> runs;
};
struct model_results {
  std::string model;
  std::vector<contestant_results> contestants;
};
struct matrix_results {
  std::vector<model_results> models;
  index_t missing = 0;  ///< runs that are another part's, or wait for a rate
  index_t untuned = 0;  ///< contestants whose rate is not chosen: runs of another part are missing
};

/// The metric of the tables: the one that is named, else the letters where they were asked, else the sums of the
/// answers' texts.
inline std::string metric_of(const item_marks& all, const std::string& named) {
  return !named.empty() ? named : all.count("letter") ? "letter" : "sum";
}
/// The marks by it. Throws `value_error` if it was not asked of all items.
inline const std::string& marks_by(const item_marks& all, const std::string& named) {
  const std::string metric = metric_of(all, named);
  const auto found = all.find(metric);
  require<value_error>(found != all.end(), "--score ", metric, ": not all items were asked by it");
  return found->second;
}
/// The items of some tasks; of all for none.
using task_names = std::vector<std::string>;
inline bool among(const task_names& tasks, const std::string& name) {
  return tasks.empty() || std::find(tasks.begin(), tasks.end(), name) != tasks.end();
}

/// Accuracies by task, in per cent, and their mean: every task counts alike, however many items it has.
inline std::vector<double> percent_by_task(const std::vector<scored_task>& tasks, const std::string& marks,
                                           const task_names& only = {}) {
  std::vector<double> out;
  std::size_t at = 0;
  for (const scored_task& task : tasks) {
    const auto first = marks.begin() + std::ptrdiff_t(at);
    if (among(only, task.name))
      out.push_back(100 * double(std::count(first, first + task.items, '1')) / double(task.items));
    at += std::size_t(task.items);
  }
  return out;
}
inline double mean(std::span<const double> values) {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.) / double(values.size());
}
/// Of all items, for progress and tuning.
inline double percent_right(const item_marks& all, const std::string& metric) {
  const std::string& marks = marks_by(all, metric);
  return 100 * double(std::count(marks.begin(), marks.end(), '1')) / double(marks.size());
}

/// A figure of every seed. Seeds differ in initial values, order and clusters: what a method is worth, and not only
/// what these models are worth on other items, needs an interval over them.
struct over_seeds {
  std::vector<double> values;
  double mean() const { return program::mean(values); }
  eval::interval range() const { return eval::mean_interval(values); }
  double low() const { return *std::min_element(values.begin(), values.end()); }
  double high() const { return *std::max_element(values.begin(), values.end()); }
};

/// Accuracies on the same items, in points, b - a: means over tasks; and whether McNemar's test tells the two models
/// apart, over all items.
struct paired_difference {
  double points = 0, p = 1;
};
/// The items of `only` lie in `tasks`, and so do the marks of both.
inline paired_difference difference(const std::vector<scored_task>& tasks, const std::string& a, const std::string& b,
                                    const task_names& only = {}) {
  index_t won = 0, lost = 0;
  std::size_t i = 0;
  for (const scored_task& task : tasks)
    for (index_t k = 0; k < task.items; ++k, ++i)
      if (among(only, task.name)) won += b[i] > a[i], lost += b[i] < a[i];
  const double points = mean(percent_by_task(tasks, b, only)) - mean(percent_by_task(tasks, a, only));
  return {points, eval::mcnemar_exact(won, lost)};
}
inline over_seeds points_of(const std::vector<paired_difference>& all) {
  over_seeds out;
  for (const paired_difference& d : all) out.values.push_back(d.points);
  return out;
}

/// A task as one contestant solves it, and against the first.
struct task_summary {
  scored_task task;
  over_seeds accuracy;
  eval::interval range;  ///< Wilson's of the mean, in per cent, by the number of items
  double points = 0;     ///< minus the first contestant, mean over the seeds
  double p = 1;          ///< exact sign test over items, each by the sum of its seeds; adjusted over the tasks (Holm)
};

/// One contestant on one model.
struct contestant_summary {
  std::string label, recipe, size;
  std::int64_t parameters = 0;
  double learning_rate = 0;
  std::vector<tried_rate> tuned;
  over_seeds own_scale, scale, last_loss, accuracy, step_ms, seconds;
  std::vector<task_summary> tasks;
  std::vector<paired_difference> against = {};   ///< the first contestant, seed by seed; none of the first itself
  std::vector<paired_difference> permuted = {};  ///< the intuition dealt to other items, against each item's own
  eval::interval resampled = {};                 ///< bootstrap of the mean difference, items drawn within their task
  double megabytes = 0;
  double told_apart = 1;  ///< p of no mean difference to the first over the seeds, adjusted for all contestants (Holm)
  double equivalent = 1;  ///< p of a mean difference of the margin or more
};
struct model_summary {
  std::string model;
  double base = 0;    ///< accuracy without adapters, in per cent
  double chance = 0;  ///< the same of guesses
  index_t items = 0;
  std::vector<contestant_summary> contestants;
};

struct summary_options {
  double margin = 2;  ///< in points: what no difference of equivalents is larger than
  std::string metric = {};
  task_names only = {};  ///< of the scored tasks
};

namespace detail {

/// By task one number an item: the share of the seeds that have it right.
using item_shares = std::vector<std::vector<double>>;
inline item_shares shares(const contestant_results& c, const summary_options& o) {
  item_shares out;
  std::size_t at = 0;
  for (const scored_task& task : c.runs.front().tasks) {
    std::vector<double> of;
    for (index_t k = 0; k < task.items; ++k, ++at) {
      double sum = 0;
      for (const run_record& run : c.runs) sum += marks_by(run.right, o.metric)[at] == '1';
      of.push_back(sum / double(c.runs.size()));
    }
    if (among(o.only, task.name)) out.push_back(std::move(of));
  }
  return out;
}

inline std::vector<task_summary> summarise_tasks(const contestant_results& c, const item_shares& own,
                                                 const item_shares& others, const summary_options& o) {
  std::vector<task_summary> out;
  for (const scored_task& task : c.runs.front().tasks)
    if (among(o.only, task.name)) out.push_back({task, {}, {}, 0, 1});
  for (const run_record& run : c.runs) {
    const auto percents = percent_by_task(run.tasks, marks_by(run.right, o.metric), o.only);
    for (std::size_t t = 0; t < out.size(); ++t) out[t].accuracy.values.push_back(percents[t]);
  }
  std::vector<double> p;
  for (std::size_t i = 0; i < out.size(); ++i) {
    task_summary& t = out[i];
    index_t won = 0, lost = 0;
    for (std::size_t k = 0; k < own[i].size(); ++k) won += own[i][k] > others[i][k], lost += own[i][k] < others[i][k];
    t.points = 100 * (mean(own[i]) - mean(others[i]));
    const auto hits = index_t(std::llround(t.accuracy.mean() / 100 * double(t.task.items)));
    const eval::interval range = eval::wilson(hits, t.task.items);
    t.range = {100 * range.low, 100 * range.high};
    p.push_back(eval::mcnemar_exact(won, lost));
  }
  const std::vector<double> adjusted = eval::holm(p);
  for (std::size_t t = 0; t < out.size(); ++t) out[t].p = adjusted[t];
  return out;
}

}  // namespace detail

/// Every contestant against the first. Throws `value_error` for a contestant without a run or with other items.
inline model_summary summarise(const model_results& results, const summary_options& o) {
  const contestant_results& first = results.contestants.front();
  model_summary out{.model = results.model, .contestants = {}};
  std::vector<double> p;
  detail::item_shares of_first;
  for (const contestant_results& c : results.contestants) {
    require<value_error>(!c.runs.empty() && c.runs.size() == first.runs.size(), c.of.label, " has ", c.runs.size(),
                         " runs, ", first.of.label, " ", first.runs.size());
    contestant_summary s{.label = c.of.label,
                         .recipe = c.of.recipe,
                         .size = c.runs.front().size,
                         .parameters = c.runs.front().parameters,
                         .learning_rate = c.learning_rate.value_or(0),
                         .tuned = c.tuned,
                         .own_scale = {},
                         .scale = {},
                         .last_loss = {},
                         .accuracy = {},
                         .step_ms = {},
                         .seconds = {},
                         .tasks = {}};
    for (std::size_t seed = 0; seed < c.runs.size(); ++seed) {
      const run_record& run = c.runs[seed];
      const std::string& right = marks_by(run.right, o.metric);
      const std::string& others = marks_by(first.runs[seed].right, o.metric);
      require<value_error>(right.size() == others.size(), c.of.label, " was scored on ", right.size(), " items, ",
                           first.of.label, " on ", others.size());
      s.own_scale.values.push_back(run.own_scale), s.scale.values.push_back(run.scale);
      s.last_loss.values.push_back(run.last_loss);
      s.accuracy.values.push_back(mean(percent_by_task(run.tasks, right, o.only)));
      s.step_ms.values.push_back(1e3 * run.step_seconds), s.seconds.values.push_back(run.seconds);
      s.megabytes = std::max(s.megabytes, double(run.step_memory) / 1e6);
      if (&c != &first) s.against.push_back(difference(run.tasks, others, right, o.only));
      if (!run.permuted.empty())
        s.permuted.push_back(difference(run.tasks, right, marks_by(run.permuted, o.metric), o.only));
    }
    detail::item_shares own = detail::shares(c, o);
    if (&c == &first) of_first = own;
    s.tasks = detail::summarise_tasks(c, own, of_first, o);
    if (&c != &first) {
      const over_seeds points = points_of(s.against);
      s.equivalent = eval::equivalence(points.values, o.margin);
      p.push_back(eval::mean_test(points.values));
      for (std::size_t t = 0; t < own.size(); ++t)
        for (std::size_t i = 0; i < own[t].size(); ++i) own[t][i] -= of_first[t][i];
      const eval::interval range = eval::grouped_bootstrap(own, 2000);
      s.resampled = {100 * range.low, 100 * range.high};
    }
    out.contestants.push_back(std::move(s));
  }
  const std::vector<double> adjusted = eval::holm(p);
  for (std::size_t i = 0; i < adjusted.size(); ++i) out.contestants[i + 1].told_apart = adjusted[i];
  const run_record& run = first.runs.front();
  out.base = mean(percent_by_task(run.tasks, marks_by(run.base, o.metric), o.only));
  for (const scored_task& task : run.tasks)
    if (among(o.only, task.name)) out.items += task.items;
  for (const task_summary& t : out.contestants.front().tasks)
    out.chance += 100 * t.task.chance / double(out.contestants.front().tasks.size());
  return out;
}

inline nlohmann::json to_json(const std::vector<paired_difference>& all) {
  nlohmann::json out = nlohmann::json::array();
  for (const paired_difference& d : all) out.push_back({{"points", d.points}, {"p", d.p}});
  return out;
}
inline nlohmann::json to_json(const contestant_summary& s) {
  nlohmann::json tasks = nlohmann::json::array();
  for (const task_summary& t : s.tasks)
    tasks.push_back({{"task", t.task.name},
                     {"items", t.task.items},
                     {"chance", 100 * t.task.chance},
                     {"accuracy", t.accuracy.values},
                     {"range", {t.range.low, t.range.high}},
                     {"points", t.points},
                     {"p", t.p}});
  return {{"label", s.label},
          {"contestant", s.recipe},
          {"size", s.size},
          {"parameters", s.parameters},
          {"lr", s.learning_rate},
          {"tuned", s.tuned},
          {"own_scale", s.own_scale.values},
          {"scale", s.scale.values},
          {"last_loss", s.last_loss.values},
          {"accuracy", s.accuracy.values},
          {"tasks", std::move(tasks)},
          {"against", to_json(s.against)},
          {"resampled", {s.resampled.low, s.resampled.high}},
          {"told_apart", s.told_apart},
          {"equivalent", s.equivalent},
          {"permuted", to_json(s.permuted)},
          {"step_ms", s.step_ms.values},
          {"seconds", s.seconds.values},
          {"step_memory", s.megabytes * 1e6}};
}
inline nlohmann::json to_json(const model_summary& m) {
  nlohmann::json out = {{"model", m.model}, {"base", m.base}, {"items", m.items}};
  for (const contestant_summary& s : m.contestants) out["contestants"].push_back(to_json(s));
  return out;
}

}  // namespace mor1e::program
