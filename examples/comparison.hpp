// What the runs of several methods over several seeds say about each other: every method on the same items as the
// first, seed by seed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "mor1e/eval/report.hpp"
#include "mor1e/eval/scoring.hpp"
#include "mor1e/eval/statistics.hpp"
#include "picture.hpp"

namespace mor1e::program {

/// What is kept of one run. Items are in the order in which all runs score them: '1' is right, by log-likelihood.
struct run_record {
  std::string size;
  std::int64_t parameters = 0;
  double own_scale = 0, scale = 0;  ///< of the update per rank at the start: the method's own, and as it was run
  double last_loss = 0;
  double step_seconds = 0;        ///< median
  std::uint64_t step_memory = 0;  ///< bytes of the slab of a step
  std::string base, right, permuted;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(run_record, size, parameters, own_scale, scale, last_loss, step_seconds, step_memory,
                                   base, right, permuted)

/// The runs of one method, one a seed.
struct contestant_result {
  std::string name;
  std::vector<run_record> runs;
};

/// One '0' or '1' an item, by the sum of the log-probabilities of its choices.
inline std::string marks(std::span<const eval::item_score> scores) {
  std::string out;
  for (const auto& item : scores) out += eval::is_right(item, eval::metric::sum).value_or(false) ? '1' : '0';
  return out;
}

/// A figure of every seed. Seeds differ in initial values, order and clusters: what a method is worth, and not only
/// what these models are worth on other items, needs an interval over them.
struct over_seeds {
  std::vector<double> values;
  double mean() const {
    double sum = 0;
    for (const double v : values) sum += v / double(values.size());
    return sum;
  }
  eval::interval range() const { return eval::mean_interval(values); }
};

/// Accuracies on the same items, in points, b - a; and whether McNemar's test tells the two models apart.
struct paired_difference {
  double points = 0, p = 1;
};
inline paired_difference difference(const std::string& a, const std::string& b) {
  index_t won = 0, lost = 0;
  for (std::size_t i = 0; i < a.size(); ++i) won += b[i] > a[i], lost += b[i] < a[i];
  return {100 * double(won - lost) / double(a.size()), eval::mcnemar_exact(won, lost)};
}
inline over_seeds points_of(const std::vector<paired_difference>& all) {
  over_seeds out;
  for (const paired_difference& d : all) out.values.push_back(d.points);
  return out;
}
inline double percent_right(const std::string& marks) {
  return 100 * double(std::count(marks.begin(), marks.end(), '1')) / double(marks.size());
}

/// One line of the comparison.
struct contestant_summary {
  std::string name, size;
  std::int64_t parameters = 0;
  over_seeds own_scale, scale, last_loss, accuracy, step_ms;
  std::vector<paired_difference> against = {};   ///< the first contestant, seed by seed; none of the first itself
  std::vector<paired_difference> permuted = {};  ///< the intuition dealt to other items, against each item's own
  double megabytes = 0;
  double told_apart = 1;  ///< p of no mean difference to the first over the seeds, adjusted for all contestants (Holm)
  double equivalent = 1;  ///< p of a mean difference of the margin or more
};

/// Every contestant against the first; `margin`, in points, is what no difference is larger than.
inline std::vector<contestant_summary> summarise(std::span<const contestant_result> results, double margin) {
  std::vector<contestant_summary> out;
  for (const contestant_result& c : results) {
    contestant_summary s{c.name, c.runs.front().size, c.runs.front().parameters, {}, {}, {}, {}, {}};
    for (std::size_t seed = 0; seed < c.runs.size(); ++seed) {
      const run_record& run = c.runs[seed];
      s.own_scale.values.push_back(run.own_scale), s.scale.values.push_back(run.scale);
      s.last_loss.values.push_back(run.last_loss), s.accuracy.values.push_back(percent_right(run.right));
      s.step_ms.values.push_back(1e3 * run.step_seconds);
      s.megabytes = std::max(s.megabytes, double(run.step_memory) / 1e6);
      if (&c != &results.front()) s.against.push_back(difference(results.front().runs[seed].right, run.right));
      if (!run.permuted.empty()) s.permuted.push_back(difference(run.right, run.permuted));
    }
    out.push_back(std::move(s));
  }
  std::vector<double> p;
  for (contestant_summary& s : out) {
    if (s.against.empty()) continue;
    const over_seeds points = points_of(s.against);
    s.equivalent = eval::equivalence(points.values, margin);
    p.push_back(eval::mean_test(points.values));
  }
  const std::vector<double> adjusted = eval::holm(p);
  std::size_t next = 0;
  for (contestant_summary& s : out)
    if (!s.against.empty()) s.told_apart = adjusted[next++];
  return out;
}

namespace detail {

/// "+1.3 [-4.0, +6.7]: -0.3 +1.0 +3.3*"; empty for none.
inline std::string cell(const std::vector<paired_difference>& all) {
  if (all.empty()) return "";
  const over_seeds points = points_of(all);
  std::string out = fmt::format("{:+.1f}", points.mean());
  if (all.size() > 1) out += fmt::format(" [{:+.1f}, {:+.1f}]", points.range().low, points.range().high);
  out += ":";
  for (const paired_difference& d : all) out += fmt::format(" {:+.1f}{}", d.points, d.p < 0.05 ? "*" : "");
  return out;
}
inline std::string span_of(const over_seeds& figure, const char* format) {
  const auto [low, high] = std::minmax_element(figure.values.begin(), figure.values.end());
  const std::string from = fmt::format(fmt::runtime(format), *low), to = fmt::format(fmt::runtime(format), *high);
  return from == to ? from : from + " to " + to;
}
inline nlohmann::json to_json(const std::vector<paired_difference>& all) {
  nlohmann::json out = nlohmann::json::array();
  for (const paired_difference& d : all) out.push_back({{"points", d.points}, {"p", d.p}});
  return out;
}

}  // namespace detail

/// The comparison as a Markdown table.
inline std::string table(std::span<const contestant_summary> all, double margin) {
  std::string out = fmt::format(
      "| method | size | parameters | scale per rank: own, run | last loss | accuracy: mean (seeds) | minus {} "
      "| p: told apart, within {:g} | intuition permuted minus own | ms a step | step memory "
      "|\n|---|---|---|---|---|---|---|---|---|---|---|\n",
      all.front().name, margin);
  for (const contestant_summary& s : all)
    out += fmt::format("| {} | {} | {} | {:.3g}, {:.3g} | {:.2f} | {:.1f} ({}) | {} | {} | {} | {} | {} |\n", s.name,
                       s.size, s.parameters, s.own_scale.mean(), s.scale.mean(), s.last_loss.mean(), s.accuracy.mean(),
                       detail::span_of(s.accuracy, "{:.1f}"), detail::cell(s.against),
                       s.against.size() > 1 ? fmt::format("{:.2g}, {:.2g}", s.told_apart, s.equivalent) : "",
                       detail::cell(s.permuted), detail::span_of(s.step_ms, "{:.0f}"),
                       s.megabytes > 0 ? fmt::format("{:.0f} MB", s.megabytes) : "");
  return out;
}

inline nlohmann::json to_json(const contestant_summary& s) {
  return {{"method", s.name},
          {"size", s.size},
          {"parameters", s.parameters},
          {"own_scale", s.own_scale.values},
          {"scale", s.scale.values},
          {"last_loss", s.last_loss.values},
          {"accuracy", s.accuracy.values},
          {"against", detail::to_json(s.against)},
          {"told_apart", s.told_apart},
          {"equivalent", s.equivalent},
          {"permuted", detail::to_json(s.permuted)},
          {"step_ms", s.step_ms.values},
          {"step_memory", s.megabytes * 1e6}};
}

/// accuracy.svg: means over seeds with their intervals; false without gnuplot.
inline bool draw(const std::filesystem::path& folder, std::span<const contestant_summary> all) {
  std::vector<estimate> accuracies;
  for (const contestant_summary& s : all) {
    const auto [low, high] = std::minmax_element(s.accuracy.values.begin(), s.accuracy.values.end());
    accuracies.push_back({s.name, s.accuracy.mean(), *low, *high});
  }
  return draw_estimates(folder / "accuracy.svg",
                        {.title = "accuracy: mean, least and largest of the seeds", .x_label = "per cent"}, accuracies,
                        all.front().accuracy.mean());
}

}  // namespace mor1e::program
