// Definitions of eval/router_report.hpp.
#pragma once

#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/core/quartiles.hpp"
#include "mor1e/eval/report.ipp"
#include "mor1e/eval/router_report.hpp"
#include "mor1e/peft/targets.hpp"

namespace mor1e::eval {

namespace detail {

MOR1E_INLINE router_report tasks_of(std::span<const std::vector<std::int32_t>> prompts,
                                    std::span<const std::string> task_of, std::vector<int>& tasks) {
  require<value_error>(!prompts.empty() && prompts.size() == task_of.size(), "routers: ", prompts.size(),
                       " prompts, of ", task_of.size(), " a task is given");
  router_report out;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto at = std::size_t(std::find(out.tasks.begin(), out.tasks.end(), task_of[i]) - out.tasks.begin());
    if (at == out.tasks.size()) out.tasks.push_back(task_of[i]), out.items.push_back(0), out.tokens.push_back(0);
    ++out.items[at];
    out.tokens[at] += index_t(prompts[i].size());
    tasks.push_back(int(at));
  }
  return out;
}

MOR1E_INLINE void finish(router_report& report, const std::vector<peft::update_norms>& norms,
                         const std::vector<linear_gate>& gates) {
  require<value_error>(!report.linears.empty(), "routers: this adapter has no experts to weigh");
  for (linear_routing& l : report.linears) {
    for (std::size_t task = 0; task < report.tasks.size(); ++task) {
      const double tokens = double(report.tokens[task]);
      l.entropy[task] /= tokens;
      for (tensor<double>* sums : {&l.weights, &l.shares, &l.first})
        for (index_t e = 0; e < l.experts; ++e) (*sums)[index_t(task) * l.experts + e] /= tokens;
    }
    for (const peft::update_norms& of : norms)
      if (of.linear == l.linear) l.norms = of.experts;
    for (const linear_gate& of : gates)
      if (of.linear == l.linear) l.gates.emplace_back(of.name, of.value);
  }
}

inline double entropy_of(const std::vector<double>& shares) {
  double sum = 0;
  for (const double p : shares)
    if (p > 0) sum -= p * std::log(p);
  return sum;
}

inline nlohmann::json rows_of(const tensor<double>& x) {
  nlohmann::json out = nlohmann::json::array();
  const index_t cols = x.extents().cols();
  for (index_t i = 0; i < x.extents().rows(); ++i)
    out.push_back(std::vector<double>(x.data() + i * cols, x.data() + (i + 1) * cols));
  return out;
}

inline double largest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

}  // namespace detail

MOR1E_INLINE std::vector<double> router_report::over_tasks(std::span<const double> values) const {
  const std::size_t width = values.size() / tasks.size();
  std::vector<double> out(width, 0.0);
  double all = 0;
  for (const index_t n : tokens) all += double(n);
  for (std::size_t task = 0; task < tasks.size(); ++task)
    for (std::size_t e = 0; e < width; ++e) out[e] += values[task * width + e] * double(tokens[task]) / all;
  return out;
}

MOR1E_INLINE double router_report::effective_experts(const linear_routing& of) const {
  return std::exp(detail::entropy_of(over_tasks(of.shares)));
}

MOR1E_INLINE double router_report::difference(const linear_routing& of) const {
  const index_t count = index_t(tasks.size());
  double sum = 0;
  for (index_t e = 0; e < of.experts; ++e) {
    double mean = 0;
    for (index_t task = 0; task < count; ++task) mean += of.shares[task * of.experts + e] / double(count);
    for (index_t task = 0; task < count; ++task) sum += std::abs(of.shares[task * of.experts + e] - mean);
  }
  return sum / 2 / double(count);
}

MOR1E_INLINE tensor<double> cosine_similarity(view<const double> x, bool centred) {
  tensor<double> rows(shape{x.rows, x.cols}), out(shape{x.rows, x.rows});
  for (index_t j = 0; j < x.cols; ++j) {
    double mean = 0;
    for (index_t i = 0; centred && i < x.rows; ++i) mean += x(i, j) / double(x.rows);
    for (index_t i = 0; i < x.rows; ++i) rows[i * x.cols + j] = x(i, j) - mean;
  }
  const auto product = [&](index_t i, index_t k) {
    double sum = 0;
    for (index_t j = 0; j < x.cols; ++j) sum += rows[i * x.cols + j] * rows[k * x.cols + j];
    return sum;
  };
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t k = 0; k < x.rows; ++k) {
      const double length = std::sqrt(product(i, i) * product(k, k));
      out[i * x.rows + k] = length > 0 ? product(i, k) / length : 0;
    }
  return out;
}

MOR1E_INLINE tensor<double> all_weights(const router_report& of) {
  index_t width = 0, at = 0;
  for (const linear_routing& l : of.linears) width += l.experts;
  tensor<double> out(shape{index_t(of.tasks.size()), width});
  for (const linear_routing& l : of.linears) {
    for (index_t task = 0; task < index_t(of.tasks.size()); ++task)
      std::copy_n(l.weights.data() + task * l.experts, l.experts, out.data() + task * width + at);
    at += l.experts;
  }
  return out;
}

MOR1E_INLINE std::string block_of(const std::string& linear) {
  const auto layer = peft::layer_of(linear, {});
  return layer ? std::to_string(*layer) : linear;
}

MOR1E_INLINE std::string projection_of(const std::string& linear) { return linear.substr(linear.rfind('.') + 1); }

MOR1E_INLINE nlohmann::json to_json(const router_report& of) {
  nlohmann::json linears = nlohmann::json::array();
  std::map<std::string, std::vector<double>> gates;
  for (const linear_routing& l : of.linears) {
    nlohmann::json line = {{"linear", l.linear},
                           {"entropy", of.over_tasks(l.entropy)[0]},
                           {"effective_experts", of.effective_experts(l)},
                           {"task_difference", of.difference(l)},
                           {"load", of.over_tasks(l.shares)},
                           {"first", of.over_tasks(l.first)},
                           {"by_task",
                            {{"entropy", l.entropy},
                             {"weights", detail::rows_of(l.weights)},
                             {"load", detail::rows_of(l.shares)},
                             {"first", detail::rows_of(l.first)}}},
                           {"similarity", detail::rows_of(cosine_similarity(l.weights.matrix()))}};
    if (!l.norms.empty()) line["update_norms"] = l.norms;
    for (const auto& [name, value] : l.gates) line["gate_" + name] = value, gates[name].push_back(value);
    linears.push_back(std::move(line));
  }
  nlohmann::json spread = nlohmann::json::object();
  for (const auto& [name, values] : gates) spread[name] = quartiles(values);
  const tensor<double> weights = all_weights(of);
  nlohmann::json similarity = {{"weights", detail::rows_of(cosine_similarity(weights.matrix()))},
                               {"weights_centred", detail::rows_of(cosine_similarity(weights.matrix(), true))}};
  if (!of.intuition.empty()) {
    similarity["intuition"] = detail::rows_of(cosine_similarity(of.intuition.matrix()));
    similarity["intuition_centred"] = detail::rows_of(cosine_similarity(of.intuition.matrix(), true));
  }
  return {{"tasks", of.tasks}, {"items", of.items},        {"tokens", of.tokens},
          {"gates", spread},   {"similarity", similarity}, {"linears", linears}};
}

MOR1E_INLINE std::string table(const router_report& of) {
  struct means {
    std::string block;
    double count = 0, entropy = 0, effective = 0, load = 0, difference = 0, norm = 0;
    std::map<std::string, double> gates = {};
  };
  std::vector<means> blocks;
  std::set<std::string> gates;
  bool norms = false;
  for (const linear_routing& l : of.linears) {
    if (blocks.empty() || blocks.back().block != block_of(l.linear)) blocks.push_back({block_of(l.linear)});
    means& m = blocks.back();
    ++m.count;
    m.entropy += of.over_tasks(l.entropy)[0], m.effective += of.effective_experts(l);
    m.load += detail::largest(of.over_tasks(l.shares)), m.difference += of.difference(l);
    m.norm += detail::largest(l.norms), norms |= !l.norms.empty();
    for (const auto& [name, value] : l.gates) m.gates[name] += value, gates.insert(name);
  }
  std::vector<std::vector<std::string>> cells{
      {"block", "entropy", "effective experts", "largest load", "task difference"}};
  if (norms) cells[0].push_back("largest update");
  for (const std::string& name : gates) cells[0].push_back("gate " + name);
  for (const means& m : blocks) {
    auto& line = cells.emplace_back();
    const auto cell = [&](const char* format, double sum) { line.push_back(detail::printed(format, sum / m.count)); };
    line.push_back(m.block);
    cell("%.3f", m.entropy), cell("%.2f", m.effective), cell("%.3f", m.load), cell("%.4f", m.difference);
    if (norms) cell("%.4g", m.norm);
    for (const std::string& name : gates) cell("%.3f", m.gates.contains(name) ? m.gates.at(name) : 0.0);
  }
  return "routers, means over the linears of a block\n" + detail::aligned(cells);
}

}  // namespace mor1e::eval
