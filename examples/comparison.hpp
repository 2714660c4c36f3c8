// What the runs of several methods over several seeds say about each other: every method on the same items as LoRA.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "mor1e/eval/scoring.hpp"
#include "mor1e/eval/statistics.hpp"
#include "picture.hpp"

namespace mor1e::program {

/// What is kept of one run. Items are in the order in which all runs score them: '1' is right, by log-likelihood.
struct run_record {
  std::string size;
  std::int64_t parameters = 0;
  double own_scale = 0, scale = 0;  ///< of the update at the start: the method's own, and as it was run
  double last_loss = 0;
  double step_seconds = 0;  ///< median
  std::uint64_t step_memory = 0;
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

/// A mean over items, in per cent, with its 95 % bootstrap interval over them.
struct share {
  double mean = 0;
  eval::interval range;
};

namespace detail {

/// How often each item is right over the runs.
inline std::vector<double> rates(std::span<const run_record> runs, std::string run_record::*of) {
  std::vector<double> out((runs.front().*of).size(), 0);
  for (const run_record& run : runs)
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += ((run.*of)[i] == '1') / double(runs.size());
  return out;
}
inline share difference(const std::vector<double>& from, const std::vector<double>& to) {
  double sum = 0;
  for (std::size_t i = 0; i < to.size(); ++i) sum += to[i] - from[i];
  const eval::interval range = eval::paired_bootstrap(from, to);
  return {100 * sum / double(to.size()), {100 * range.low, 100 * range.high}};
}
inline std::string brackets(const share& s, bool sign) {
  return sign ? fmt::format("{:+.1f} [{:+.1f}, {:+.1f}]", s.mean, s.range.low, s.range.high)
              : fmt::format("{:.1f} [{:.1f}, {:.1f}]", s.mean, s.range.low, s.range.high);
}
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace detail

/// One line of the comparison.
struct contestant_summary {
  std::string name, size;
  std::int64_t parameters = 0;
  double own_scale = 0, scale = 0, last_loss = 0;
  share accuracy;
  std::optional<share> against = {};          ///< minus the reference, on the same items; none for the reference
  std::vector<double> against_by_seed = {};   ///< the same for each seed, in points
  std::optional<share> without_its_own = {};  ///< the intuition permuted over the items, minus each item's own
  double step_ms = 0, step_ratio = 1;         ///< median over seeds; over that of the reference
  double megabytes = 0;
};

/// Every contestant against the first.
inline std::vector<contestant_summary> summarise(std::span<const contestant_result> results) {
  std::vector<contestant_summary> out;
  const auto time_of = [](const contestant_result& c) {
    std::vector<double> seconds;
    for (const run_record& run : c.runs) seconds.push_back(run.step_seconds);
    return detail::median(seconds);
  };
  const auto& reference = results.front();
  const std::vector<double> reference_rates = detail::rates(reference.runs, &run_record::right);
  for (const contestant_result& c : results) {
    const run_record& first = c.runs.front();
    const std::vector<double> rates = detail::rates(c.runs, &run_record::right), none(rates.size(), 0);
    contestant_summary s{.name = c.name,
                         .size = first.size,
                         .parameters = first.parameters,
                         .own_scale = first.own_scale,
                         .scale = first.scale,
                         .accuracy = detail::difference(none, rates),
                         .step_ms = 1e3 * time_of(c),
                         .step_ratio = time_of(c) / time_of(reference)};
    for (std::size_t k = 0; k < c.runs.size(); ++k) {
      const std::span run(&c.runs[k], 1), its(&reference.runs[k], 1);
      s.last_loss += c.runs[k].last_loss / double(c.runs.size());
      s.megabytes = std::max(s.megabytes, double(c.runs[k].step_memory) / 1e6);
      if (&c == &reference) continue;
      s.against_by_seed.push_back(
          detail::difference(detail::rates(its, &run_record::right), detail::rates(run, &run_record::right)).mean);
    }
    if (&c != &reference) s.against = detail::difference(reference_rates, rates);
    if (!first.permuted.empty())
      s.without_its_own = detail::difference(rates, detail::rates(c.runs, &run_record::permuted));
    out.push_back(std::move(s));
  }
  return out;
}

/// The comparison as a Markdown table.
inline std::string table(std::span<const contestant_summary> all) {
  std::string out = fmt::format(
      "| method | size | parameters | scale, own -> run | last loss | accuracy | minus {} | by seed | permuted minus "
      "own "
      "intuition | ms a step | x {} | step memory |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      all.front().name, all.front().name);
  for (const contestant_summary& s : all) {
    std::string seeds;
    for (const double d : s.against_by_seed) seeds += fmt::format("{}{:+.1f}", seeds.empty() ? "" : " ", d);
    out += fmt::format(
        "| {} | {} | {} | {:.3g} -> {:.3g} | {:.3f} | {} | {} | {} | {} | {:.0f} | {:.2f} | {:.0f} MB |\n", s.name,
        s.size, s.parameters, s.own_scale, s.scale, s.last_loss, detail::brackets(s.accuracy, false),
        s.against ? detail::brackets(*s.against, true) : "", seeds,
        s.without_its_own ? detail::brackets(*s.without_its_own, true) : "", s.step_ms, s.step_ratio, s.megabytes);
  }
  return out;
}

inline nlohmann::json to_json(const share& s) {
  return {{"mean", s.mean}, {"low", s.range.low}, {"high", s.range.high}};
}
inline nlohmann::json to_json(const contestant_summary& s) {
  nlohmann::json out = {{"method", s.name},
                        {"size", s.size},
                        {"parameters", s.parameters},
                        {"own_scale", s.own_scale},
                        {"scale", s.scale},
                        {"last_loss", s.last_loss},
                        {"accuracy", to_json(s.accuracy)},
                        {"step_ms", s.step_ms},
                        {"step_ratio", s.step_ratio},
                        {"step_memory", s.megabytes * 1e6}};
  if (s.against) out["difference"] = to_json(*s.against), out["difference_by_seed"] = s.against_by_seed;
  if (s.without_its_own) out["permuted"] = to_json(*s.without_its_own);
  return out;
}

/// difference.svg and cost.svg in a folder; false without gnuplot.
inline bool draw(const std::filesystem::path& folder, std::span<const contestant_summary> all) {
  std::vector<estimate> differences;
  for (const contestant_summary& s : all)
    if (s.against) differences.push_back({s.name, s.against->mean, s.against->range.low, s.against->range.high});
  std::vector<estimate> costs;
  for (const contestant_summary& s : all) costs.push_back({s.name, s.step_ratio, s.step_ratio, s.step_ratio});
  const std::string reference = all.front().name;
  return (differences.empty() ||
          draw_estimates(folder / "difference.svg",
                         {.title = "accuracy minus " + reference + ", the same items, 95 % intervals over items",
                          .x_label = "points"},
                         differences, 0)) &&
         draw_estimates(folder / "cost.svg", {.title = "time of a step over that of " + reference, .x_label = "ratio"},
                        costs, 1);
}

}  // namespace mor1e::program
