// Table 7 of Intuition-MoR1E counted again, beside what the paper prints.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "mor1e/models/linears.hpp"
#include "mor1e/peft/accounting.hpp"

namespace mor1e::program {

/// What the paper prints of one method on one model: parameters and FLOPs a token in millions, percent of the base,
/// accuracy in percent.
struct printed_figures {
  std::optional<double> parameters, percent, flops, accuracy;
};

/// A backbone of Table 7, and the figures of the methods in the order of `table7_methods`.
struct table7_model {
  const char* name;
  nlohmann::json config;
  std::array<printed_figures, 6> printed;
};

inline std::vector<std::pair<const char*, peft::any_method>> table7_methods() {
  return {{"LoRA r=32", peft::lora{.rank = 32}},   {"MoLoRA 8x4", peft::molora::release()},
          {"Rank-1 N=8", peft::mor1e::paper(8)},   {"Rank-1 N=20", peft::mor1e::paper(20)},
          {"Rank-1 N=32", peft::mor1e::paper(32)}, {"mix 4x8", peft::mix_and_match::paper(4, 8)}};
}

/// Figures: arXiv 2404.08985v1, Table 7 (LoRA, MoLoRA, Rank-1 with 20 experts) and Table 6 (percentages and accuracies
/// of Rank-1 with 8 and 32). Configurations: the config.json of the published models.
inline std::vector<table7_model> table7_models() {
  const auto config = [](const char* type, int hidden, int layers, int heads, int kv_heads, int inner,
                         int vocabulary) -> nlohmann::json {
    return {{"model_type", type},           {"hidden_size", hidden},           {"num_hidden_layers", layers},
            {"num_attention_heads", heads}, {"num_key_value_heads", kv_heads}, {"intermediate_size", inner},
            {"vocab_size", vocabulary}};
  };
  return {{"Mistral-7B",
           config("mistral", 4096, 32, 32, 8, 14336, 32000),
           {{{83.9, 0.69, 168, 83.08},
             {93.8, 0.77, 188, 83.28},
             {{}, 0.25, {}, 83.10},
             {77.3, 0.63, 105, 83.48},
             {{}, 1.01, {}, 83.84},
             {}}}},
          {"Gemma-2B",
           config("gemma", 2048, 18, 8, 1, 16384, 256000),
           {{{39.2, 0.79, 78, 74.03},
             {43.4, 0.87, 87, 73.64},
             {{}, 0.28, {}, 74.31},
             {34.8, 0.70, 49, 74.49},
             {{}, 1.12, {}, 75.40},
             {}}}},
          {"TinyLlama-1.1B",
           config("llama", 2048, 22, 32, 4, 5632, 32000),
           {{{25.2, 2.29, 50, 69.01},
             {28.3, 2.58, 57, 68.42},
             {{}, 0.86, {}, 70.75},
             {23.7, 2.15, 32, 70.70},
             {{}, 3.44, {}, 70.36},
             {}}}}};
}

/// A method on a model, counted, and why the paper's figures are others: empty where they agree, or are not there.
struct table7_row {
  std::string method;
  peft::method_cost cost;
  double percent = 0;  ///< of the base
  printed_figures printed = {};
  std::string parameters_differ = {}, percent_differs = {}, flops_differ = {};
};

/// A model with its rows.
struct table7_part {
  std::string name;
  models::backbone base;
  std::vector<table7_row> rows;
  double least_base = 0;  ///< between these lie the bases that fit every percentage printed for the model
  double most_base = std::numeric_limits<double>::infinity();
};

inline std::vector<table7_part> count_table7() {
  const auto agree = [](double ours, double printed, double last_digit) {
    return std::abs(ours - printed) <= last_digit / 2 * (1 + 1e-9);
  };
  std::vector<table7_part> out;
  for (const table7_model& m : table7_models()) {
    table7_part part{m.name, models::backbone_of(m.config, m.name), {}};
    const auto methods = table7_methods();
    for (std::size_t i = 0; i < methods.size(); ++i) {
      table7_row row{.method = methods[i].first,
                     .cost = peft::cost_on({.method = methods[i].second}, part.base.linears, part.base.layers),
                     .printed = m.printed[i]};
      const double millions = double(row.cost.parameters) / 1e6, update = double(row.cost.flops()) / 1e6,
                   whole = update + double(row.cost.router_flops()) / 1e6;
      row.percent = 100 * double(row.cost.parameters) / double(part.base.parameters);
      if (const auto p = row.printed.parameters; p && !agree(millions, *p, 0.1))
        row.parameters_differ = std::floor(millions * 10) == std::round(*p * 10) ? "cut" : "differs";
      if (const auto p = row.printed.percent) {
        if (!agree(row.percent, *p, 0.01)) row.percent_differs = "base";
        part.least_base = std::max(part.least_base, 100 * double(row.cost.parameters) / (*p + 0.005));
        part.most_base = std::min(part.most_base, 100 * double(row.cost.parameters) / (*p - 0.005));
      }
      if (const auto p = row.printed.flops; p && !agree(whole, *p, 1))
        row.flops_differ = agree(update, *p, 1) ? "no router" : "differs";
      part.rows.push_back(std::move(row));
    }
    out.push_back(std::move(part));
  }
  return out;
}

/// The table in characters, and what explains the words in it.
inline std::string table7_text(const std::vector<table7_part>& parts) {
  const auto printed = [](const std::optional<double>& value, int digits, const std::string& why) {
    return value ? fmt::format("{:.{}f}{}{}", *value, digits, why.empty() ? "" : " ", why) : std::string("-");
  };
  std::string out =
      "Intuition-MoR1E (arXiv 2404.08985v1), Tables 6 and 7, counted; after each figure the paper's, and in a word why "
      "it is another.\n";
  for (const table7_part& part : parts) {
    out += fmt::format("\n{}: {} parameters, {} adapted linears\n", part.name, part.base.parameters,
                       part.base.adapted_linears());
    out += fmt::format("  {:<12} {:>13} {:<10} {:>9} {:<10} {:>11} {:>9} {:<14} {}\n", "method", "parameters, M",
                       "paper", "% of base", "paper", "MFLOP/token", "of router", "paper", "paper's accuracy, %");
    for (const table7_row& r : part.rows)
      out += fmt::format("  {:<12} {:>13.2f} {:<10} {:>9.2f} {:<10} {:>11.1f} {:>9.1f} {:<14} {}\n", r.method,
                         double(r.cost.parameters) / 1e6, printed(r.printed.parameters, 1, r.parameters_differ),
                         r.percent, printed(r.printed.percent, 2, r.percent_differs),
                         double(r.cost.flops() + r.cost.router_flops()) / 1e6, double(r.cost.router_flops()) / 1e6,
                         printed(r.printed.flops, 0, r.flops_differ), printed(r.printed.accuracy, 2, ""));
  }
  out += "\nbase: the percentage is of another number than the model's size.\n";
  for (const table7_part& part : parts)
    out += fmt::format("  {}: a base of {:.3f} to {:.3f} G fits all that is printed, the model has {:.3f} G\n",
                       part.name, part.least_base / 1e9, part.most_base / 1e9, double(part.base.parameters) / 1e9);
  out += "no router: MoLoRA's FLOPs count its router, those of Rank-1 do not. Rank-1 N=20 against LoRA r=32:\n";
  for (const table7_part& part : parts) {
    const peft::method_cost &lora = part.rows[0].cost, &rank1 = part.rows[3].cost;
    const auto less = [&](std::int64_t flops) { return 100 * (1 - double(flops) / double(lora.flops())); };
    out += fmt::format("  {}: {:.1f} % fewer FLOPs with the router, {:.1f} % without\n", part.name,
                       less(rank1.flops() + rank1.router_flops()), less(rank1.flops()));
  }
  out += "cut: the paper drops the digits after the last one printed.\n";
  out +=
      "accuracy: section 4.5 sets 83.84 % (Mistral-7B) and 75.40 % (Gemma-2B), which are of N=32, beside the savings "
      "of "
      "N=20 over LoRA r=32:\n";
  for (const table7_part& part : parts) {
    const auto& [lora, n20, n32] = std::tie(part.rows[0], part.rows[3], part.rows[4]);
    const double both = double(lora.cost.parameters);
    out += fmt::format(
        "  {}: {:.2f} % with {:+.1f} M parameters (N=20), {:.2f} % with {:+.1f} M (N=32, {:.2f} x LoRA's)\n", part.name,
        *n20.printed.accuracy, (double(n20.cost.parameters) - both) / 1e6, *n32.printed.accuracy,
        (double(n32.cost.parameters) - both) / 1e6, double(n32.cost.parameters) / both);
  }
  out += "The release's gates, two numbers a linear, are not counted: Table 7 has none.\n";
  return out;
}

inline nlohmann::json table7_json(const std::vector<table7_part>& parts) {
  const auto figure = [](nlohmann::json& to, const char* key, const std::optional<double>& value) {
    if (value) to[key] = *value;
  };
  nlohmann::json out = {{"source", "arXiv 2404.08985v1, Tables 6 and 7"}, {"models", nlohmann::json::array()}};
  for (const table7_part& part : parts) {
    nlohmann::json rows = nlohmann::json::array();
    for (const table7_row& r : part.rows) {
      nlohmann::json printed = nlohmann::json::object(), differs = nlohmann::json::object();
      figure(printed, "parameters_millions", r.printed.parameters);
      figure(printed, "percent", r.printed.percent);
      figure(printed, "flops_millions", r.printed.flops);
      figure(printed, "accuracy", r.printed.accuracy);
      if (!r.parameters_differ.empty()) differs["parameters"] = r.parameters_differ;
      if (!r.percent_differs.empty()) differs["percent"] = r.percent_differs;
      if (!r.flops_differ.empty()) differs["flops"] = r.flops_differ;
      rows.push_back({{"method", r.method},
                      {"parameters", r.cost.parameters},
                      {"percent", r.percent},
                      {"flops", r.cost.flops()},
                      {"router_flops", r.cost.router_flops()},
                      {"printed", printed},
                      {"differs", differs}});
    }
    out["models"].push_back({{"name", part.name},
                             {"parameters", part.base.parameters},
                             {"linears", part.base.adapted_linears()},
                             {"base_of_printed_percentages", {part.least_base, part.most_base}},
                             {"methods", std::move(rows)}});
  }
  return out;
}

}  // namespace mor1e::program
