// table6: how many experts. Table 6 of Intuition-MoR1E, and beyond its 32.
//
//     table6 --model smollm2 --data FOLDER --experts 8,20,32,64,128 --out DIR
#include <filesystem>

#include "experiments/matrix_program.hpp"
#include "model_config.hpp"
#include "mor1e/models/linears.hpp"
#include "paper/beside_paper.hpp"
#include "picture.hpp"

using namespace mor1e;

int main(int argc, char** argv) {
  std::string experts = "8,20,32,64";
  program::matrix_program table{.name = "table6", .description = "Table 6: the number of experts", .options = {}};
  table.options.own_parameters = true;
  table.setup = [&](CLI::App& app) {
    app.add_option("--experts", experts, "numbers of experts, as many clusters each")->capture_default_str();
  };
  table.prepare = [&](program::matrix_options& o) {
    require<value_error>(o.contestants.empty(), "--contestants: table6 has its own, of --experts");
    o.contestants = "LoRA: lora";
    for (const std::string& n : split(experts)) o.contestants += fmt::format(",N = {}: mor1e+experts={}", n, n);
  };
  table.describe = [&](const program::matrix_options& o, const program::matrix_results&,
                       std::vector<program::model_summary>& models, program::report& r) {
    program::describe_models(o, table.name, models, r);
    program::result_table shares{
        .title = "Accuracy and learnable parameters, in per cent of the base", .columns = {"model"}, .rows = {}};
    for (const program::contestant_summary& s : models.front().contestants) shares.columns.push_back(s.label);
    for (const program::model_summary& m : models) {
      const auto base = double(models::backbone_of(program::config_of(m.model), m.model).parameters);
      std::vector<std::string> row{m.model};
      for (const program::contestant_summary& s : m.contestants)
        row.push_back(fmt::format("{:.1f} / {:.2f}", s.accuracy.mean(), 100 * double(s.parameters) / base));
      shares.rows.push_back(std::move(row));
    }
    r.tables.push_back(std::move(shares));
    program::put_beside(
        r,
        {.title = "Table 6 (accuracy / learnable parameters in per cent)",
         .columns = {"model", "8", "20", "32"},
         .rows = {{"Mistral 7B", "83.10 / 0.25", "83.48 / 0.63", "83.84 / 1.01"},
                  {"Gemma 2B", "74.31 / 0.28", "74.49 / 0.70", "75.40 / 1.12"},
                  {"TinyLlama 1B", "70.75 / 0.86", "70.70 / 2.15", "70.36 / 3.44"}}},
        "The paper's percentages of Mistral and Gemma are of about twice these models' parameters; of the "
        "true totals they are 0.43, 1.07, 1.71 and 0.56, 1.39, 2.22 (docs/paper-map.md).");
  };
  return program::run_matrix(argc, argv, table);
}
