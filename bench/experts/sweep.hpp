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
  std::string name, title, x_label, y_label;
  double unit;  ///< of y: seconds times this, a token or a token and weight of the base where the label says so
};
inline const std::vector<sweep> sweeps{
    {"experts", "cost by experts", "experts; pairs of a mix; rank of LoRA", "ms", 1e3},
    {"tokens", "cost by tokens, total rank 32", "tokens", "us a token", 1e6},
    {"width", "cost by width, total rank 32", "inputs", "ps a token and weight of the base", 1e12},
};

/// A point of a picture.
struct point {
  std::string sweep;
  const method_case* method;  ///< null: the base alone
  double x;
  bool with_backward;
  double per;  ///< what its time is divided by
  measurement took;
};

/// A line of a picture: a method, or its products alone.
inline program::series line_of(const std::vector<point>& points, const sweep& s, const method_case* method,
                               bool with_backward, bool bound) {
  program::series out;
  out.name = (method ? method->name : "base alone") + (bound ? ", its products alone" : "");
  out.dashed = bound || !method;
  for (const point& p : points) {
    if (p.sweep != s.name || p.method != method || p.with_backward != with_backward) continue;
    const timing& t = bound ? p.took.products : p.took.whole;
    const double unit = s.unit / p.per;
    out.x.push_back(p.x), out.y.push_back(t.median * unit);
    out.low.push_back(t.low * unit), out.high.push_back(t.high * unit);
  }
  return out;
}

/// Draws FOLDER/<sweep>-<picture>-<pass>.svg of all points. Returns how many pictures gnuplot did not make.
inline int draw(const std::filesystem::path& folder, const std::vector<method_case>& methods,
                const std::vector<point>& points) {
  std::set<std::string> pictures;
  for (const method_case& method : methods) pictures.insert(method.pictures.begin(), method.pictures.end());
  int missing = 0;
  for (const sweep& s : sweeps)
    for (const std::string& picture : pictures)
      for (const bool with_backward : {false, true}) {
        std::vector<program::series> lines;
        const auto add = [&](const method_case* method, bool bound) {
          auto one = line_of(points, s, method, with_backward, bound);
          if (!one.x.empty()) lines.push_back(std::move(one));
        };
        for (const method_case& method : methods) {
          if (std::find(method.pictures.begin(), method.pictures.end(), picture) == method.pictures.end()) continue;
          add(&method, false);
          if (method.draws_bound) add(&method, true);
        }
        if (lines.empty()) continue;
        add(nullptr, false);
        const program::chart c{text(s.title, ", ", with_backward ? "forward and backward" : "forward"), s.x_label,
                               s.y_label, true};
        const std::string name = text(s.name, "-", picture, with_backward ? "-training" : "-forward", ".svg");
        if (!program::draw_lines(folder / name, c, lines)) ++missing;
      }
  return missing;
}

}  // namespace mor1e::bench
