// What evaluate --routers leaves: routers.json, and its pictures.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "mor1e/data/example.hpp"
#include "mor1e/eval/router_report.hpp"
#include "mor1e/eval/scoring.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/mor1e.hpp"
#include "picture.hpp"
#include "program.hpp"

namespace mor1e::program {

/// Throws `value_error` for an adapter whose method has no experts.
inline void require_routers(const peft::adapter_spec& spec, const std::string& adapter) {
  const peft::method_description method = spec.method.description();
  require<value_error>(method.has_experts, "--routers: ", adapter, " is ", method.label,
                       ": it has no experts, and no router that weighs them");
}

namespace detail {

inline std::vector<double> numbers(const tensor<double>& x) { return {x.data(), x.data() + x.size()}; }

/// Mean weights of the experts of the block whose tasks differ most in them: a panel a linear, experts by tasks.
inline bool draw_experts(const std::filesystem::path& file, const eval::router_report& report) {
  std::vector<std::pair<std::string, double>> blocks;
  for (const auto& l : report.linears) {
    if (blocks.empty() || blocks.back().first != eval::block_of(l.linear))
      blocks.push_back({eval::block_of(l.linear), 0});
    blocks.back().second += report.difference(l);
  }
  const std::string block =
      std::max_element(blocks.begin(), blocks.end(), [](auto& a, auto& b) { return a.second < b.second; })->first;
  std::vector<heat_panel> panels;
  for (const auto& l : report.linears) {
    if (eval::block_of(l.linear) != block) continue;
    heat_panel panel{eval::projection_of(l.linear), {}, report.tasks, {}};
    for (index_t e = 0; e < l.experts; ++e) {
      panel.rows.push_back(std::to_string(e));
      for (index_t task = 0; task < index_t(report.tasks.size()); ++task)
        panel.values.push_back(l.weights[task * l.experts + e]);
    }
    panels.push_back(std::move(panel));
  }
  return draw_heat_maps(
      file, {"Mean weight of each expert in the block where the tasks differ most: " + block, "task", "expert"},
      panels);
}

/// Entropy over the blocks, a line a projection, and the entropy of equal weights above them.
inline bool draw_entropy(const std::filesystem::path& file, const eval::router_report& report) {
  std::vector<series> lines;
  series equal{.name = "equal weights", .x = {}, .y = {}, .dashed = true};
  for (const auto& l : report.linears) {
    const std::string name = eval::projection_of(l.linear);
    auto at = std::find_if(lines.begin(), lines.end(), [&](const series& s) { return s.name == name; });
    if (at == lines.end()) at = lines.insert(at, series{.name = name, .x = {}, .y = {}});
    at->x.push_back(std::atof(eval::block_of(l.linear).c_str()));
    at->y.push_back(report.over_tasks(l.entropy)[0]);
    if (equal.x.empty() || equal.x.back() < at->x.back())
      equal.x.push_back(at->x.back()), equal.y.push_back(std::log(double(l.experts)));
  }
  lines.push_back(std::move(equal));
  return draw_lines(file, {"Entropy of the experts' shares", "block", "nats"}, lines);
}

/// Cosines of the tasks' mean weights over all linears, beside those of their mean intuition.
inline bool draw_similarity(const std::filesystem::path& file, const eval::router_report& report) {
  std::vector<heat_panel> panels{{"by the weights of their experts", report.tasks, report.tasks,
                                  numbers(eval::cosine_similarity(eval::all_weights(report).matrix()))}};
  if (!report.intuition.empty())
    panels.push_back({"by their intuition", report.tasks, report.tasks,
                      numbers(eval::cosine_similarity(report.intuition.matrix()))});
  return draw_heat_maps(file, {"Similarity of tasks: cosine of what they have on average", "", ""}, panels);
}

}  // namespace detail

/// Writes the report and its pictures; says where they are.
inline void write_routers(const std::filesystem::path& folder, const eval::router_report& report,
                          const common_options& common) {
  std::filesystem::create_directories(folder);
  io::write_json(folder / "routers.json", eval::to_json(report));
  bool drawn = detail::draw_experts(folder / "experts_by_task.svg", report);
  drawn &= detail::draw_entropy(folder / "entropy_by_layer.svg", report);
  const bool several = report.tasks.size() > 1;  // one alone resembles itself
  if (several) drawn &= detail::draw_similarity(folder / "task_similarity.svg", report);
  say(common, "\n{}{}: routers.json, and experts_by_task, entropy_by_layer{} as {}\n", eval::table(report),
      folder.string(), several ? ", task_similarity" : "",
      drawn ? ".svg with their sources" : ".gp alone: gnuplot is not installed");
}

}  // namespace mor1e::program
