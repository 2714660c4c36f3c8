// table4: tasks that were left out of the training. Table 4 of Intuition-MoR1E.
//
//     table4 --model smollm2 --data FOLDER --out DIR
//
// A number of times, some tasks are drawn and not trained on. In-distribution are the others, out-of-distribution those
// drawn; both methods of a drop train and score the same.
#include <algorithm>

#include "experiments/matrix_program.hpp"
#include "mor1e/core/rng.hpp"
#include "paper/beside_paper.hpp"

using namespace mor1e;

namespace {

struct drop {
  std::string name;
  std::vector<std::string> tasks;
};

/// The drops are a function of the tasks, their number and a seed of their own: --seed does not change them.
std::vector<drop> drawn(const std::vector<std::string>& tasks, int count, int size) {
  std::vector<drop> out;
  for (int i = 0; i < count; ++i) {
    std::vector<std::string> shuffled = tasks;
    rng(std::uint64_t(4000 + i)).shuffle(shuffled);
    shuffled.resize(std::size_t(size));
    std::sort(shuffled.begin(), shuffled.end());
    out.push_back({std::string(1, char('A' + i)), shuffled});
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  int count = 4, size = 5;
  std::vector<drop> drops;
  program::matrix_program table{
      .name = "table4", .description = "Table 4: tasks that were left out of the training", .options = {}};
  table.setup = [&](CLI::App& app) {
    app.add_option("--drops", count, "how often tasks are drawn")->check(CLI::Range(1, 26))->capture_default_str();
    app.add_option("--dropped", size, "tasks drawn each time; at most half of those there are")
        ->check(program::accept::count())
        ->capture_default_str();
  };
  table.prepare = [&](program::matrix_options& o) {
    const std::vector<std::string> tasks = program::tasks_present(o);
    require<value_error>(tasks.size() > 1, "one task: there is none to leave out");
    drops = drawn(tasks, count, std::min(size, int(tasks.size() / 2)));
    require<value_error>(o.contestants.empty(), "--contestants: table4 has its own, of --drops");
    require<value_error>(o.data.eval_data.empty() && o.data.unseen.empty(),
                         "--eval-data, --unseen: table4 scores what it drops");
    for (const drop& d : drops)
      for (const auto& [label, recipe] : {std::pair("LoRA", "lora"), std::pair("Intuition-MoR1E", "mor1e")}) {
        o.contestants += fmt::format("{}{} (drop {}): {}", o.contestants.empty() ? "" : ",", label, d.name, recipe);
        for (const std::string& task : d.tasks) o.contestants += "+unseen=" + task;
      }
  };
  table.describe = [&](const program::matrix_options& o, const program::matrix_results& results,
                       std::vector<program::model_summary>& models, program::report& r) {
    const std::vector<std::string> tasks = program::tasks_present(o);
    std::vector<program::model_summary> pairs;  // each method against the other of its drop
    for (const program::model_results& m : results.models) {
      program::result_table out{.title = m.model, .columns = {"distribution", "method"}, .rows = {}};
      for (const drop& d : drops) out.columns.push_back("drop " + d.name);
      for (const bool seen : {true, false}) {
        std::vector<std::string> base{seen ? "ID" : "OOD", "without training"}, lora{"", "LoRA"},
            mor1e{"", "Intuition-MoR1E"}, difference{"", "difference"};
        for (std::size_t d = 0; d < drops.size(); ++d) {
          program::task_names only;
          for (const std::string& task : tasks)
            if ((std::find(drops[d].tasks.begin(), drops[d].tasks.end(), task) == drops[d].tasks.end()) == seen)
              only.push_back(task);
          const program::model_results pair{m.model, {m.contestants[2 * d], m.contestants[2 * d + 1]}};
          program::model_summary s = program::summarise(pair, {.margin = o.margin, .metric = o.score, .only = only});
          base.push_back(fmt::format("{:.1f}", s.base));
          lora.push_back(fmt::format("{:.1f}", s.contestants[0].accuracy.mean()));
          mor1e.push_back(fmt::format("{:.1f}", s.contestants[1].accuracy.mean()));
          difference.push_back(program::detail::cell(s.contestants[1].against));
          s.model = fmt::format("{}, drop {}, {}", m.model, drops[d].name, seen ? "ID" : "OOD");
          pairs.push_back(std::move(s));
        }
        for (auto& row : {base, lora, mor1e, difference}) out.rows.push_back(row);
      }
      r.tables.push_back(std::move(out));
    }
    for (const drop& d : drops) r.notes.push_back(fmt::format("Drop {}: {}.", d.name, fmt::join(d.tasks, ", ")));
    models = std::move(pairs);
    r.notes.push_back(fmt::format(
        "Accuracies in per cent, means over {} seeds and over tasks. Differences are in points on the same items: mean "
        "over "
        "the seeds, its 95 % interval over them (Student), and each seed, * where an exact McNemar test tells its two "
        "models apart (p < 0.05).",
        o.seeds));
    program::put_beside(r,
                        {.title = "Table 4 (Gemma 2B)",
                         .columns = {"distribution", "method", "Drop-A", "Drop-B", "Drop-C", "Drop-D"},
                         .rows = {{"ID", "LoRA", "68.58", "72.43", "68.45", "67.15"},
                                  {"", "Intuition MoR1E", "71.22", "72.61", "71.69", "68.03"},
                                  {"OOD", "LoRA", "43.87", "52.68", "50.35", "59.41"},
                                  {"", "Intuition MoR1E", "45.42", "53.43", "50.55", "59.71"}}},
                        "The paper does not say which sets it dropped.");
  };
  return program::run_matrix(argc, argv, table);
}
