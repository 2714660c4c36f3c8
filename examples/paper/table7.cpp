// table7: what training costs. Tables 6 and 7 of Intuition-MoR1E counted again, and steps measured.
//
//     table7 --count                                       # the paper's own models, counted
//     table7 --model smollm2 --data FOLDER --out DIR       # and parameters, FLOPs, time and memory of a step here
//
// A time says something on a machine that does nothing else.
#include "paper/table7.hpp"

#include "experiments/matrix_program.hpp"
#include "model_config.hpp"
#include "mor1e/models/linears.hpp"
#include "paper/beside_paper.hpp"

using namespace mor1e;

int main(int argc, char** argv) {
  bool count = false;
  program::matrix_program table{.name = "table7", .description = "Table 7: the cost of training", .options = {}};
  table.options.own_parameters = true;
  table.options.contestants =
      "LoRA r=32: lora,MoLoRA 8x4: molora-release,Rank-1 N=8: mor1e+experts=8,Rank-1 N=20: mor1e+experts=20,"
      "Rank-1 N=32: mor1e,mix 4x8: mix";
  table.setup = [&](CLI::App& app) {
    app.add_flag("--count", count, "only count the paper's own models, beside its figures; run nothing");
  };
  table.instead = [&](const program::matrix_options& o) {
    if (!count) return false;
    const auto parts = program::count_table7();
    program::say(o.common, "{}", program::table7_text(parts));
    program::write_results(o.common, program::table7_json(parts));
    return true;
  };
  table.describe = [&](const program::matrix_options& o, const program::matrix_results&,
                       std::vector<program::model_summary>& models, program::report& r) {
    for (const program::model_summary& m : models) {
      const models::backbone base = models::backbone_of(program::config_of(m.model), m.model);
      program::result_table costs{.title = m.model,
                                  .columns = {"method", "parameters, M", "% of the base", "MFLOP a token",
                                              "of these the router", "ms a step", "slab of a step, MB", "accuracy"},
                                  .rows = {}};
      for (const program::contestant_summary& s : m.contestants) {
        const peft::adapter_spec spec = program::spec_of(program::contestant_of(s.recipe).method, 0, 1);
        const peft::method_cost cost = peft::cost_on(spec, base.linears, base.layers);
        costs.rows.push_back(
            {s.label, fmt::format("{:.2f}", double(s.parameters) / 1e6),
             fmt::format("{:.2f}", 100 * double(s.parameters) / double(base.parameters)),
             fmt::format("{:.1f}", double(cost.flops() + cost.router_flops()) / 1e6),
             fmt::format("{:.1f}", double(cost.router_flops()) / 1e6), program::detail::span_of(s.step_ms, "{:.0f}"),
             s.megabytes > 0 ? fmt::format("{:.0f}", s.megabytes) : "",
             fmt::format("{:.1f} ({})", s.accuracy.mean(), program::detail::span_of(s.accuracy, "{:.1f}"))});
      }
      r.tables.push_back(std::move(costs));
    }
    r.notes.push_back(
        fmt::format("Steps of {} examples on {}, {} threads; median of each run, least to largest of the seeds.",
                    o.schedule.settings().batch, o.common.device.backend,
                    o.common.device.threads ? text(o.common.device.threads) : std::string("all")));
    const auto parts = program::count_table7();
    for (const program::table7_part& part : parts) {
      program::result_table counted{.title = part.name + ", counted",
                                    .columns = {"method", "parameters, M", "paper", "% of the base", "paper",
                                                "MFLOP a token", "paper", "paper's accuracy"},
                                    .rows = {}};
      const auto printed = [](const std::optional<double>& figure, int digits) {
        return figure ? fmt::format("{:.{}f}", *figure, digits) : std::string();
      };
      for (const program::table7_row& row : part.rows)
        counted.rows.push_back({row.method, fmt::format("{:.2f}", double(row.cost.parameters) / 1e6),
                                printed(row.printed.parameters, 1), fmt::format("{:.2f}", row.percent),
                                printed(row.printed.percent, 2),
                                fmt::format("{:.1f}", double(row.cost.flops() + row.cost.router_flops()) / 1e6),
                                printed(row.printed.flops, 0), printed(row.printed.accuracy, 2)});
      r.tables.push_back(std::move(counted));
    }
    r.notes.push_back(
        "The paper's figures are of arXiv 2404.08985v1, Tables 6 and 7; `table7 --count` says why ours differ.");
  };
  return program::run_matrix(argc, argv, table);
}
