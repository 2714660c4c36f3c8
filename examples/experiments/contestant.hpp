// One row of a matrix of runs: a method, its options, and what it is trained with.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "method_options.hpp"
#include "mor1e/core/error.hpp"
#include "mor1e/core/split.hpp"

namespace mor1e::program {

/// What runs of other seeds share.
struct contestant {
  std::string label;   ///< in tables
  std::string recipe;  ///< as it was written, without the label
  method_options method = {};
  std::string control = {};                  ///< random or category, in place of the intuition
  std::string intuition = {};                ///< the embedder; that of the matrix unless given
  std::string unseen = {};                   ///< "a,b": tasks that are scored and not trained on
  std::optional<double> learning_rate = {};  ///< if not that of the matrix, or the one tuned
};

/// Reads "mor1e", "mor1e+experts=20+random", "N = 20: mor1e+experts=20", "lora+targets=q_proj;v_proj": a method and
/// options of `finetune` without their dashes, lists by ; and `random` or `category` (in place of the intuition),
/// `intuition=EMBEDDER`, `unseen=TASK` (once for each), `lr=RATE`. Throws `value_error` naming what is wrong.
inline contestant contestant_of(const std::string& written) {
  const std::size_t colon = written.find(": ");
  contestant out{.label = written.substr(0, std::min(colon, written.size())),
                 .recipe = colon == written.npos ? written : written.substr(colon + 2)};
  require<value_error>(!out.recipe.empty(), "--contestants: '", written, "' names no method");
  const std::vector<std::string> parts = split(out.recipe, '+');
  CLI::App app;
  add_method_options(app, out.method, true);
  app.remove_option(app.get_option("--method"));
  app.add_option("--intuition", out.intuition);
  app.add_option("--lr", out.learning_rate)->check(accept::positive());
  std::vector<std::string> arguments;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    const std::string name = part.substr(0, part.find('='));
    const auto in = [&](const std::string& what) {
      return fmt::format("--contestants: '{}' in {}{}", part, out.recipe, what);
    };
    if (part == "random" || part == "category") {
      require<value_error>(out.control.empty(), in(" is a second control"));
      out.control = part;
    } else if (part.starts_with("unseen=")) {
      out.unseen += (out.unseen.empty() ? "" : ",") + part.substr(7);
    } else {
      require<value_error>(app.get_option_no_throw("--" + name) && name != "help",
                           in(" is no option of a method, nor random, category, intuition=, unseen= or lr="));
      arguments.push_back("--" + part);
      std::replace(arguments.back().begin(), arguments.back().end(), ';', ',');
    }
  }
  out.method.method = parts.front();
  try {
    std::reverse(arguments.begin(), arguments.end());  // as the parser wants them
    app.parse(arguments);
  } catch (const CLI::ParseError& e) {
    throw value_error(fmt::format("--contestants: {}: {}", out.recipe, e.what()));
  }
  return out;
}

}  // namespace mor1e::program
