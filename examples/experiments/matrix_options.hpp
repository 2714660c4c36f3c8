// What a matrix of runs is: models, contestants and seeds on the same data.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "experiments/contestant.hpp"
#include "finetune_options.hpp"
#include "mor1e/eval/scoring.hpp"
#include "program.hpp"

namespace mor1e::program {

struct matrix_options {
  common_options common;
  train::data_settings data{.model = "smollm2", .data = "suite", .eval_limit = 60};  ///< model: "a,b"
  schedule_options schedule{.preset = "suite"};
  train::run_settings run;
  std::string contestants;  ///< "a,b": see `contestant_of`; the first is what the others are held against
  int seeds = 3;
  bool own_scale = false, own_parameters = false;
  double margin = 2;      ///< points within which two accuracies count as equivalent
  std::string tune = {};  ///< "1e-3,2e-3": learning rates of which each contestant gets its own
  std::string score =
      {};  ///< the metric of the tables; of the answers' letters where they are asked, else of their sums
  std::string part = {};  ///< "1/2": the first half of the runs
  std::string from = {};  ///< "a,b": folders of the same matrix whose runs are taken over
  std::string out = {};
  bool dry_run = false;
  double flops = 0;            ///< a second, for the hours of a dry run
  index_t example_tokens = 0;  ///< mean, for a dry run without a tokenizer
};

inline void add_matrix_options(CLI::App& app, matrix_options& o) {
  add_data_options(app, o.data);
  add_run_options(app, o.run);
  add_schedule_options(app, o.schedule);
  app.get_option("--model")->description("a,b: folders, .gguf files, short names (smollm2) or toy");
  app.add_option("--contestants", o.contestants,
                 "METHOD[+OPTION[=VALUE]...],...; the first is what the others are held against. Options of finetune; "
                 "random or category in place of the intuition; intuition=EMBEDDER; unseen=TASK; lr=RATE; a label may "
                 "stand before it: \"N = 20: mor1e+experts=20\"")
      ->capture_default_str();
  app.add_option("--seeds", o.seeds, "runs of each, with other initial values, orders and clusters")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--own-scale", o.own_scale, "leave each update at its method's own scale");
  app.add_flag("--own-params", o.own_parameters, "leave each method at its own size");
  app.add_option("--margin", o.margin, "points within which two accuracies count as equivalent")
      ->check(CLI::Range(1e-3, 100.))
      ->capture_default_str();
  app.add_option("--tune", o.tune,
                 "RATE,RATE,...: one run of each contestant at each, scored on --dev-limit rows of each task that "
                 "nobody trains on; each is then run at the rate that was best for it");
  app.add_option("--score", o.score,
                 "sum, mean, per_byte, exact, letter, greedy: what counts as right; letter where letters are asked, "
                 "else sum, unless given");
  app.add_option("--part", o.part, "1/2: only the first of two equal shares of the runs; --from joins them");
  app.add_option("--from", o.from, "a,b: take the finished runs from these folders of the same program");
  app.add_flag("--dry-run", o.dry_run, "print runs, parameters, FLOPs, memory and hours; run nothing, load no weights");
  app.add_option("--flops", o.flops, "floating point operations a second, for the hours of --dry-run")
      ->check(accept::positive());
  app.add_option("--example-tokens", o.example_tokens, "mean length of an example, for --dry-run without a tokenizer")
      ->check(accept::count());
  app.add_option("--out", o.out, "folder of the matrix; what is finished there is not run again");
}

/// The learning rates to choose from.
inline std::vector<double> rates_of(const matrix_options& o) {
  std::vector<double> out;
  for (const std::string& rate : split(o.tune)) {
    const std::string wrong = accept::positive()(rate);
    require<value_error>(wrong.empty(), "--tune: ", wrong);
    out.push_back(std::strtod(rate.c_str(), nullptr));
  }
  return out;
}

/// Which share of the runs is ours.
struct share {
  index_t number = 0, of = 1;
  bool holds(index_t run) const { return run % of == number; }
};
inline share share_of(const std::string& part) {
  if (part.empty()) return {};
  const std::size_t slash = part.find('/');
  const auto whole = [&](const std::string& digits) {
    const bool good = !digits.empty() && digits.size() < 5 && digits.find_first_not_of("0123456789") == digits.npos;
    require<value_error>(good && slash != part.npos, "--part: '", part, "' is not like 1/2");
    return index_t(std::atoi(digits.c_str()));
  };
  const index_t number = whole(part.substr(0, slash)), of = whole(slash == part.npos ? "" : part.substr(slash + 1));
  require<value_error>(number >= 1 && number <= of, "--part: there is no part ", number, " of ", of);
  return {number - 1, of};
}

/// The rows of the matrix. Throws `value_error` for none, one that is wrong, or two alike.
inline std::vector<contestant> contestants_of(const matrix_options& o) {
  std::vector<contestant> out;
  for (const std::string& written : split(o.contestants)) {
    contestant next = contestant_of(written);
    for (const contestant& before : out)
      require<value_error>(before.label != next.label, "--contestants: ", next.label, " stands there twice");
    if (next.intuition.empty()) next.intuition = o.run.intuition;
    settle_intuition(next.method, next.intuition);
    out.push_back(std::move(next));
  }
  require<value_error>(!out.empty(), "--contestants: nobody");
  return out;
}

/// What is wrong with the options themselves; fills in what follows from others.
inline void settle(matrix_options& o) {
  o.data.check();
  if (!o.score.empty()) {
    const auto named = [&](eval::metric m) { return eval::name_of(m) == o.score; };
    require<value_error>(std::any_of(eval::metrics.begin(), eval::metrics.end(), named), "--score ", o.score,
                         " is none of sum, mean, per_byte, exact, letter, greedy");
  }
  require<value_error>(o.data.eval_limit > 0, "--eval-limit 0: nothing to compare by");
  require<value_error>(o.run.memory.empty(),
                       "--memory: what one run needs depends on those before it; use --recompute");
  require<value_error>(o.tune.empty() || o.data.dev_limit > 0,
                       "--tune needs --dev-limit: rows to choose by that are neither trained on nor reported");
  require<value_error>(!o.out.empty() || o.dry_run, "--out is needed");
  share_of(o.part), rates_of(o);
}

}  // namespace mor1e::program
