// figure5: tasks that were never trained on, without an example in the prompt. Figure 5 of Intuition-MoR1E.
//
//     import --from ARCHIVES --out BBH ...                                    # BIG-Bench Hard's 27 files
//     figure5 --model smollm2 --data FOLDER --eval-data BBH --out DIR
//     figure5 --model smollm2 --data FOLDER --unseen wsc,rte --out DIR        # or some of the tasks themselves
#include "experiments/matrix_program.hpp"
#include "paper/beside_paper.hpp"

using namespace mor1e;

int main(int argc, char** argv) {
  program::matrix_program figure{
      .name = "figure5", .description = "Figure 5: tasks that were never trained on", .options = {}};
  figure.options.contestants = "LoRA: lora,MoLoRA: molora,Intuition-MoR1E: mor1e";
  figure.prepare = [](program::matrix_options& o) {
    if (o.data.data == "suite" && o.data.eval_data.empty() && o.data.unseen.empty()) o.data.unseen = "coref,compare";
    require<value_error>(!o.data.eval_data.empty() || !o.data.unseen.empty(),
                         "--eval-data (BIG-Bench Hard as `import` writes it) or --unseen is needed: tasks that are not "
                         "trained on");
    if (o.data.eval_data.empty()) return;
    const std::vector<std::string> trained = program::tasks_present(o), unseen = split(o.data.unseen);
    for (const std::string& task : data::tasks_in(o.data.eval_data))
      require<value_error>(std::find(trained.begin(), trained.end(), task) == trained.end() ||
                               std::find(unseen.begin(), unseen.end(), task) != unseen.end(),
                           "--eval-data ", o.data.eval_data, ": ", task, " is trained on");
  };
  figure.describe = [&](const program::matrix_options& o, const program::matrix_results& results,
                        std::vector<program::model_summary>& models, program::report& r) {
    std::vector<program::model_summary> unseen = models;
    if (o.data.eval_data.empty()) {
      unseen.clear();
      for (const program::model_results& m : results.models)
        unseen.push_back(program::summarise(m, {.margin = o.margin, .metric = o.score, .only = split(o.data.unseen)}));
    }
    program::describe_models(o, figure.name, unseen, r);
    program::put_beside(r, {.title = "Figure 5",
                            .columns = {"what it says"},
                            .rows = {{"MoR1E is the best on BIG-Bench Hard for each of five models; the bars bear no "
                                      "numbers in the text"}}});
  };
  return program::run_matrix(argc, argv, figure);
}
