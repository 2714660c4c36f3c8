// table5: rank-one experts and intuition, each alone. Table 5 of Intuition-MoR1E.
//
//     table5 --model smollm2 --data FOLDER --out DIR
//
// The switches are the release's: "rank-1 alone" sets I to zero, "intuition alone" the router's term.
#include "experiments/matrix_program.hpp"
#include "paper/beside_paper.hpp"

using namespace mor1e;

int main(int argc, char** argv) {
  program::matrix_program table{
      .name = "table5", .description = "Table 5: rank-one experts and intuition, each alone", .options = {}};
  table.options.contestants =
      "neither (LoRA): lora,intuition alone: mor1e+no-router,rank-1 alone: mor1e+no-intuition,both: mor1e";
  table.describe = [&](const program::matrix_options& o, const program::matrix_results&,
                       std::vector<program::model_summary>& models, program::report& r) {
    program::describe_models(o, table.name, models, r);
    program::put_beside(r, {.title = "Table 5",
                            .columns = {"intuition", "rank-1", "Llama 2 7B", "Phi-2", "TinyLlama"},
                            .rows = {{"-", "-", "79.90", "79.18", "69.01"},
                                     {"yes", "-", "81.02", "79.84", "69.92"},
                                     {"-", "yes", "80.60", "79.41", "69.70"},
                                     {"yes", "yes", "81.11", "80.00", "70.36"}}});
  };
  return program::run_matrix(argc, argv, table);
}
