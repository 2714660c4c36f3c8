// import: the public sets as their authors publish them, as a data folder; and what of an evaluation was trained on.
//
//     import --from ARCHIVES --out DATA          # a folder with BoolQ/, anli_v1.0/, bbh/, ... as they unpack
//     import --check DATA                        # any data folder
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mor1e/data/data_folder.hpp"
#include "mor1e/data/overlap.hpp"
#include "mor1e/data/releases.hpp"
#include "program.hpp"

using namespace mor1e;

namespace {

struct import_options {
  program::common_options common;
  std::string from, out, check, tasks;
};

void add_options(CLI::App& app, import_options& options) {
  auto* from = app.add_option("--from", options.from, "folder that holds the unpacked archives");
  auto* out = app.add_option("--out", options.out, "data folder to write")->needs(from);
  auto* check = app.add_option("--check", options.check, "data folder whose splits to hold against each other");
  from->needs(out);
  from->excludes(check);
  app.add_option("--tasks", options.tasks, "some of the tasks, as a,b (default: all that are there)");
}

std::vector<data::task_data> read_archives(const import_options& options) {
  std::vector<std::string> names;
  for (const data::release& each : data::releases_in(options.from)) names.emplace_back(each.task);
  std::string known;
  for (const data::release& each : data::releases()) known += text(known.empty() ? "" : ", ", each.archive);
  require<io_error>(!names.empty(), options.from, ": none of the folders ", known);
  std::vector<data::task_data> out;
  for (const std::string& name : data::select_tasks(names, options.tasks))
    for (const data::release& each : data::releases())
      if (each.task == name)
        for (data::task_data& task : data::read_release(options.from, each)) out.push_back(std::move(task));
  return out;
}

/// One line and one object for each task: its rows, and the rows of its evaluation that its training has.
nlohmann::json report(const import_options& options, const std::vector<data::task_data>& tasks) {
  nlohmann::json out = nlohmann::json::object();
  program::say(options.common, "{:<28} {:>8} {:>8} {:>8} {:>9} {:>8}\n", "task", "train", "eval", "same", "question",
               "near");
  for (const data::task_data& task : tasks) {
    std::map<data::meeting, std::size_t> met;
    nlohmann::json pairs = nlohmann::json::array();
    for (const data::overlap& each : data::overlaps(task.train, task.eval)) {
      ++met[each.how];
      pairs.push_back({{"how", data::name_of(each.how)},
                       {"eval", task.eval[each.eval].id},
                       {"train", task.train[each.train].id},
                       {"likeness", each.likeness}});
    }
    const std::size_t same = met[data::meeting::same], question = met[data::meeting::question],
                      near = met[data::meeting::near];
    program::say(options.common, "{:<28} {:>8} {:>8} {:>8} {:>9} {:>8}\n", task.name, task.train.size(),
                 task.eval.size(), same, question, near);
    out[task.name] = {{"train", task.train.size()},
                      {"eval", task.eval.size()},
                      {"same", same},
                      {"question", question},
                      {"near", near},
                      {"pairs", pairs}};
  }
  program::say(options.common,
               "\nsame: an eval row is a train row; question: with other choices; near: {:.0f} % of its word triples\n",
               100 * data::least_likeness);
  return out;
}

void run(const import_options& options) {
  require<value_error>(!options.from.empty() || !options.check.empty(), "--from and --out, or --check, say what to do");
  std::vector<data::task_data> tasks;
  if (!options.check.empty()) {
    tasks = data::read_data_folder(options.check, options.tasks, data::splits::present);
  } else {
    require<value_error>(!std::filesystem::exists(options.out), options.out, " is there already; give another --out");
    io::require_writable_folder(options.out, true);
    tasks = read_archives(options);
    data::write_data_folder(options.out, tasks);
  }
  program::write_results(options.common, report(options, tasks));
}

}  // namespace

int main(int argc, char** argv) {
  import_options options;
  return program::run(
      argc, argv, "import", "Public data sets as a data folder, and what an evaluation shares with its training",
      options.common, [&](CLI::App& app) { add_options(app, options); }, [&] { run(options); });
}
