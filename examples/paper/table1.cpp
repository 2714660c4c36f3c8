// table1: what the router may look at besides the token. Table 1 of Intuition-MoR1E, with the control it lacks.
//
//     table1 --model smollm2 --data FOLDER --out DIR
//
// None, the category of the task (a sinusoidal code, as the paper has it), the intuition, and a random direction for
// each text in its place: does it matter what the intuition says, or only that there is one?
#include "experiments/matrix_program.hpp"
#include "paper/beside_paper.hpp"
#include "paper/categories.hpp"

using namespace mor1e;

int main(int argc, char** argv) {
  program::matrix_program table{.name = "table1", .description = "Table 1: references of the router", .options = {}};
  table.options.contestants =
      "LoRA: lora,no reference: mor1e+no-intuition,task category: mor1e+category,intuition: mor1e,random: mor1e+random";
  table.prepare = [](program::matrix_options& o) {
    if (!o.run.categories.empty()) return;
    const std::vector<std::string> tasks = program::tasks_present(o);
    o.run.categories =
        data::is_suite(o.data.data) ? fmt::format("{}", fmt::join(tasks, ";")) : program::paper_categories(tasks);
  };
  table.describe = [&](const program::matrix_options& o, const program::matrix_results&,
                       std::vector<program::model_summary>& models, program::report& r) {
    program::describe_models(o, table.name, models, r);
    r.notes.push_back("Categories of this run: " + o.run.categories + ".");
    program::put_beside(
        r,
        {.title = "Table 1",
         .columns = {"router reference", "Llama 2 7B", "Gemma 2B"},
         .rows = {{"None", "79.90", "74.03"}, {"Task Category", "77.40", "70.26"}, {"Intuition", "81.02", "74.89"}}},
        "The paper's \"None\" is LoRA's average of its Table 2 (79.90, 74.03) and no mixture, so LoRA is "
        "the first here and a mixture without reference is beside it. Random directions are ours.");
  };
  return program::run_matrix(argc, argv, table);
}
