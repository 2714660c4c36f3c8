// What a program of the paper's experiments writes: tables for people, the same for LaTeX, rows for other programs.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/matrix_results.hpp"
#include "mor1e/io/text_file.hpp"

namespace mor1e::program {

struct result_table {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

struct report {
  std::string title, terms;  ///< what it is, and on what terms it was run
  std::vector<result_table> tables;
  std::vector<std::string> notes;
  std::vector<std::string> pictures;  ///< files beside it
};

inline std::string markdown(const result_table& t) {
  std::string out = t.title.empty() ? "" : t.title + "\n\n";
  out += fmt::format("| {} |\n|", fmt::join(t.columns, " | "));
  for (std::size_t i = 0; i < t.columns.size(); ++i) out += "---|";
  for (const auto& row : t.rows) out += fmt::format("\n| {} |", fmt::join(row, " | "));
  return out + "\n";
}
inline std::string markdown(const report& r) {
  std::string out = fmt::format("# {}\n\n{}\n", r.title, r.terms);
  for (const result_table& t : r.tables) out += "\n" + markdown(t);
  if (!r.notes.empty()) out += "\n";
  for (const std::string& note : r.notes) out += fmt::format("- {}\n", note);
  for (const std::string& picture : r.pictures) out += fmt::format("\n![{}]({})\n", r.title, picture);
  return out;
}

inline std::string latex(const std::string& words) {
  std::string out;
  for (const char c : words) {
    if (std::string("&%$#_{}").find(c) != std::string::npos) out += '\\';
    if (c == '~' || c == '^' || c == '\\')
      out += fmt::format("\\char`\\{} ", c);
    else
      out += c;
  }
  return out;
}
inline std::string latex(const report& r) {
  std::string out;
  for (const result_table& t : r.tables) {
    out += fmt::format("\\begin{{table}}\n\\caption{{{} {}}}\n\\begin{{tabular}}{{l{}}}\n", latex(r.title),
                       latex(t.title), std::string(t.columns.size() - 1, 'r'));
    const auto line = [&](const std::vector<std::string>& cells) {
      std::vector<std::string> safe;
      for (const std::string& cell : cells) safe.push_back(latex(cell));
      out += fmt::format("{} \\\\\n", fmt::join(safe, " & "));
    };
    out += "\\hline\n", line(t.columns), out += "\\hline\n";
    for (const auto& row : t.rows) line(row);
    out += "\\hline\n\\end{tabular}\n\\end{table}\n";
  }
  return out;
}

inline std::string csv(const std::string& words) {
  if (words.find_first_of(",\"\n") == words.npos) return words;
  std::string out = "\"";
  for (const char c : words) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}
/// One line a model, contestant, seed and task.
inline std::string csv(std::span<const model_summary> models, std::uint64_t first_seed) {
  std::string out = "model,label,contestant,parameters,lr,seed,task,items,chance,accuracy\n";
  for (const model_summary& m : models)
    for (const contestant_summary& c : m.contestants)
      for (const task_summary& t : c.tasks)
        for (std::size_t seed = 0; seed < t.accuracy.values.size(); ++seed)
          out += fmt::format("{},{},{},{},{:g},{},{},{},{:.4f},{:.4f}\n", csv(m.model), csv(c.label), csv(c.recipe),
                             c.parameters, c.learning_rate, first_seed + seed, csv(t.task.name), t.task.items,
                             100 * t.task.chance, t.accuracy.values[seed]);
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
  const std::string from = fmt::format(fmt::runtime(format), figure.low()),
                    to = fmt::format(fmt::runtime(format), figure.high());
  return from == to ? from : from + " to " + to;
}

}  // namespace detail

/// One line a contestant: what it is, how it trained, and what it is against the first.
inline result_table overview(const model_summary& m, double margin) {
  result_table out{.title = fmt::format("{}: {} items, {:.1f} % without training", m.model, m.items, m.base),
                   .columns = {"method", "size", "parameters", "rate", "scale per rank: own, run", "last loss",
                               "accuracy: mean (seeds)", fmt::format("minus {}", m.contestants.front().label),
                               "items drawn again", fmt::format("p: told apart, within {:g}", margin),
                               "intuition permuted minus own", "ms a step", "step memory"},
                   .rows = {}};
  for (const contestant_summary& s : m.contestants)
    out.rows.push_back(
        {s.label, s.size, fmt::format("{}", s.parameters), fmt::format("{:g}", s.learning_rate),
         fmt::format("{:.3g}, {:.3g}", s.own_scale.mean(), s.scale.mean()), fmt::format("{:.2f}", s.last_loss.mean()),
         fmt::format("{:.1f} ({})", s.accuracy.mean(), detail::span_of(s.accuracy, "{:.1f}")), detail::cell(s.against),
         s.against.empty() ? "" : fmt::format("[{:+.1f}, {:+.1f}]", s.resampled.low, s.resampled.high),
         s.against.size() > 1 ? fmt::format("{:.2g}, {:.2g}", s.told_apart, s.equivalent) : "",
         detail::cell(s.permuted), detail::span_of(s.step_ms, "{:.0f}"),
         s.megabytes > 0 ? fmt::format("{:.0f} MB", s.megabytes) : ""});
  return out;
}

/// One line a contestant, one column a task, as the paper's Table 2.
inline result_table by_task(const model_summary& m) {
  result_table out{.title = fmt::format("{}, task by task", m.model), .columns = {"method"}, .rows = {}};
  for (const task_summary& t : m.contestants.front().tasks)
    out.columns.push_back(fmt::format("{} ({})", t.task.name, t.task.items));
  out.columns.push_back("average");
  for (const contestant_summary& s : m.contestants) {
    std::vector<std::string> row{s.label};
    for (const task_summary& t : s.tasks)
      row.push_back(fmt::format("{:.1f} [{:.0f}, {:.0f}]{}", t.accuracy.mean(), t.range.low, t.range.high,
                                t.p < 0.05 ? "*" : ""));
    row.push_back(fmt::format("{:.1f}", s.accuracy.mean()));
    out.rows.push_back(std::move(row));
  }
  std::vector<std::string> chance{"chance"};
  for (const task_summary& t : m.contestants.front().tasks)
    chance.push_back(fmt::format("{:.1f}", 100 * t.task.chance));
  chance.push_back(fmt::format("{:.1f}", m.chance));
  out.rows.push_back(std::move(chance));
  return out;
}

/// What the columns of `overview` and `by_task` mean.
inline std::string legend(double margin, int seeds) {
  return fmt::format(
      "Accuracies in per cent, means over {} seeds; an average counts every task alike. Differences are in points "
      "on the same items: mean over the seeds, its 95 % interval over them (Student), and each seed, * where an "
      "exact McNemar test tells its two models apart (p < 0.05); \"items drawn again\" is the 95 % interval of a "
      "bootstrap of the items of each task. The two p are of tests over the seeds, on these items: that there is no"
      " mean difference (t-test, adjusted for all methods by Holm), and that it is {:g} points or more (two "
      "one-sided t-tests, not adjusted). Task by task: Wilson's 95 % interval by the number of items, * where a "
      "sign test over items tells the method from the first (p < 0.05, adjusted by Holm for the tasks of its row).",
      seeds, margin);
}

}  // namespace mor1e::program
