// figure1: the gain over LoRA task by task, and accuracy against parameters. Figure 1 of Intuition-MoR1E.
//
//     figure1 --model smollm2 --data FOLDER --out DIR
#include <filesystem>

#include "experiments/matrix_program.hpp"
#include "paper/beside_paper.hpp"
#include "paper/table2_printed.hpp"
#include "picture.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {

/// What the paper's method gains over its LoRA on each set, of Table 2.
program::result_table printed_gains() {
  program::result_table out{.title = "gains over LoRA, of its Table 2", .columns = {"model"}, .rows = {}};
  for (const char* task : program::table2_tasks) out.columns.emplace_back(task);
  out.columns.emplace_back("average");
  const auto rows = std::size(program::table2_rows);
  for (std::size_t first = 0; first + 3 < rows; first += 4) {  // LoRA, MoLoRA, SiRA, Intuition-MoR1E
    const program::table2_row &lora = program::table2_rows[first], &ours = program::table2_rows[first + 3];
    std::vector<std::string> cells{ours.model};
    for (std::size_t i = 0; i < ours.figures.size(); ++i)
      cells.push_back(fmt::format("{:+.2f}", ours.figures[i] - lora.figures[i]));
    out.rows.push_back(std::move(cells));
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  program::matrix_program figure{
      .name = "figure1", .description = "Figure 1: gain by task, accuracy against parameters", .options = {}};
  figure.options.own_parameters = true;
  figure.options.contestants =
      "LoRA: lora,MoLoRA: molora,MoR1E N=8: mor1e+experts=8,MoR1E N=20: mor1e+experts=20,MoR1E N=32: mor1e";
  figure.describe = [&](const program::matrix_options& o, const program::matrix_results&,
                        std::vector<program::model_summary>& models, program::report& r) {
    for (const program::model_summary& m : models) {
      r.tables.push_back(program::overview(m, o.margin));
      r.tables.push_back(program::by_task(m));
      const std::string number = models.size() > 1 ? fmt::format("-{}", &m - models.data() + 1) : "";
      const program::contestant_summary& ours = m.contestants.back();
      std::vector<program::estimate> gains;
      for (std::size_t t = 0; t < ours.tasks.size(); ++t) {
        program::over_seeds points;
        const auto& lora = m.contestants.front().tasks[t].accuracy.values;
        for (std::size_t seed = 0; seed < lora.size(); ++seed)
          points.values.push_back(ours.tasks[t].accuracy.values[seed] - lora[seed]);
        gains.push_back({ours.tasks[t].task.name, points.mean(), points.low(), points.high()});
      }
      if (gains.size() > 1) {  // one task is the number in the table
        const std::string file = fmt::format("figure1{}-gain.svg", number);
        const program::guide zero[] = {{m.contestants.front().label, 0}};
        if (program::draw_estimates(
                fs::path(o.out) / file,
                {.title = fmt::format("{} minus {}: {}, {} items, {} seeds: mean, least and largest", ours.label,
                                      m.contestants.front().label, m.model, m.items, o.seeds),
                 .x_label = "points of accuracy",
                 .least_range = 10},
                gains, zero))
          r.pictures.push_back(file);
      }
      std::vector<program::point_cloud> clouds;
      for (const program::contestant_summary& s : m.contestants) {
        program::point_cloud cloud{.name = s.label, .x = {}, .y = {}, .labels = {s.label}};
        cloud.x.push_back(double(s.parameters) / 1e6), cloud.y.push_back(s.accuracy.mean());
        clouds.push_back(std::move(cloud));
      }
      const std::string file = fmt::format("figure1{}-parameters.svg", number);
      if (program::draw_points(fs::path(o.out) / file,
                               {.title = fmt::format("{}, {} items, means of {} seeds; {:.1f} % without training",
                                                     m.model, m.items, o.seeds, m.base),
                                .x_label = "trainable parameters, millions",
                                .y_label = "accuracy, per cent",
                                .least_range = 10},
                               clouds))
        r.pictures.push_back(file);
    }
    r.notes.push_back(program::legend(o.margin, o.seeds));
    program::put_beside(
        r, printed_gains(),
        "The paper's picture shows the difference of Table 2's rows, whose MoR1E has 1.4 to 1.5 times the "
        "parameters of its LoRA.");
  };
  return program::run_matrix(argc, argv, figure);
}
