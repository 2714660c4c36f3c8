// What is varied, and the pictures of it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../examples/picture.hpp"
#include "experts/measure.hpp"

namespace mor1e::bench {

/// One thing that grows while the rest stays.
struct sweep {
  std::string name, x_label, y_label;
  double (*y)(double seconds, const sizes& on);
  std::string (*title)(const sizes& on);  ///< what stays
};
inline const std::vector<sweep> sweeps{
    {"experts", "experts; pairs of a mix; rank of LoRA", "ms", [](double s, const sizes&) { return 1e3 * s; },
     [](const sizes& on) { return text(on.tokens, " tokens, linears ", on.linears()); }},
    {"tokens", "tokens", "us a token", [](double s, const sizes& on) { return 1e6 * s / double(on.tokens); },
     [](const sizes& on) { return text("total rank 32, linears ", on.linears()); }},
    {"width", "inputs", "ps a token and weight of the base",
     [](double s, const sizes& on) { return 1e12 * s / double(on.tokens) / on.weights(); },
     [](const sizes& on) { return text("total rank 32, ", on.tokens, " tokens"); }},
};

/// A point of a picture.
struct point {
  std::string sweep;
  const method_entry* method;  ///< null: the base alone
  index_t x;
  bool with_backward;
  sizes on;
  measurement took;
};

/// A line of a picture: a method, or its products alone.
inline program::series line_of(const std::vector<point>& points, const sweep& s, const method_entry* method,
                               bool with_backward, bool bound) {
  program::series out;
  out.name = (method ? method->name : "base alone") + (bound ? ", its products alone" : "");
  out.dashed = bound || !method;
  for (const point& p : points) {
    if (p.sweep != s.name || p.method != method || p.with_backward != with_backward) continue;
    const timing& t = bound ? p.took.products : p.took.whole;
    out.x.push_back(double(p.x)), out.y.push_back(s.y(t.median, p.on));
    out.low.push_back(s.y(t.low, p.on)), out.high.push_back(s.y(t.high, p.on));
  }
  return out;
}

/// Draws FOLDER/<sweep>-<picture>-<pass>.svg of all points. Returns how many pictures gnuplot did not make.
inline int draw(const std::filesystem::path& folder, const std::vector<const method_entry*>& methods,
                const std::vector<point>& points) {
  std::set<std::string> pictures;
  for (const method_entry* method : methods) pictures.insert(method->pictures.begin(), method->pictures.end());
  int missing = 0;
  for (const sweep& s : sweeps)
    for (const std::string& picture : pictures)
      for (const bool with_backward : {false, true}) {
        std::vector<program::series> lines;
        const auto add = [&](const method_entry* method, bool bound) {
          auto one = line_of(points, s, method, with_backward, bound);
          if (!one.x.empty()) lines.push_back(std::move(one));
        };
        for (const method_entry* method : methods) {
          if (std::find(method->pictures.begin(), method->pictures.end(), picture) == method->pictures.end()) continue;
          add(method, false);
          if (method->draws_bound) add(method, true);
        }
        if (lines.empty()) continue;
        add(nullptr, false);
        const auto any = std::find_if(points.begin(), points.end(), [&](const point& p) { return p.sweep == s.name; });
        const program::chart c{text(with_backward ? "forward and backward, " : "forward, ", s.title(any->on)),
                               s.x_label, s.y_label, true};
        const std::string name = text(s.name, "-", picture, with_backward ? "-training" : "-forward", ".svg");
        if (!program::draw_lines(folder / name, c, lines)) ++missing;
      }
  return missing;
}

}  // namespace mor1e::bench
