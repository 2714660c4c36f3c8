// A program that runs a matrix and reports on it: `compare`, and one for each table and figure of the paper.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "experiments/matrix_options.hpp"
#include "experiments/matrix_results.hpp"
#include "experiments/report.hpp"

namespace mor1e::program {

struct matrix_program {
  const char* name;  ///< of the files it writes, too
  const char* description;
  matrix_options options;                             ///< with its own defaults
  std::function<void(CLI::App&)> setup = {};          ///< options of its own
  std::function<void(matrix_options&)> prepare = {};  ///< what follows from these, before anything is run
  /// What it does in place of runs if its own options ask for that: whether they do.
  std::function<bool(const matrix_options&)> instead = {};
  /// Adds its tables, notes and pictures (into OUT); may put other summaries in place of those given, which are of all
  /// tasks and go into the .json and .csv. Without it: an overview and a table by task of each model.
  std::function<void(const matrix_options&, const matrix_results&, std::vector<model_summary>&, report&)> describe = {};
};

/// Everything such a program does. OUT/NAME.md, .tex, .csv, .json and pictures are the report, OUT/runs the runs.
int run_matrix(int argc, char** argv, matrix_program& program);

/// What `overview` and `by_task` say of each model, and a picture.
void describe_models(const matrix_options& o, const char* name, const std::vector<model_summary>& models, report& to);

}  // namespace mor1e::program
