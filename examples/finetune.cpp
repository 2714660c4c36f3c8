// finetune: trains adapters on a frozen model.
//
//     finetune --model smollm2 --data suite --method mor1e --preset suite --out run
//     finetune --resume run                               # goes on where it was stopped, bit for bit
//     finetune --resume run --steps 200                   # and beyond the end it had
//     mpirun -n 4 finetune --mpi --model smollm2 ...      # four processes train one adapter
//
// OUT holds adapter/ (a PEFT folder), checkpoint/ and checkpoint.previous/ (to resume), options.json, log.jsonl (one
// object a step), result.json, data/ when the data was generated, and routers/ with --routers.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "finetune_options.hpp"
#include "matched.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/train/run.hpp"
#include "processes.hpp"
#include "router_pictures.hpp"
#include "run_printer.hpp"
#include "stored_options.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {

struct finetune_options {
  program::common_options common;
  train::data_settings data;
  program::schedule_options schedule;
  train::run_settings run;
  program::method_options method;
  std::string out, resume;
  bool match_scale = false, match_parameters = false, routers = false, mpi = false;
};

void add_options(CLI::App& app, finetune_options& o) {
  program::add_data_options(app, o.data);
  program::add_method_options(app, o.method, true);
  app.add_flag("--match-scale", o.match_scale,
               "multiply the update so that it starts at the scale per rank of LoRA's (rank 32, alpha 16)");
  app.add_flag("--match-params", o.match_parameters,
               "choose rank or experts for as many trainable parameters as LoRA of rank 32 has");
  program::add_run_options(app, o.run);
  program::add_schedule_options(app, o.schedule);
  app.add_flag("--routers", o.routers, "after training, OUT/routers: what the experts do with the evaluation's items");
  program::add_mpi_option(app, o.mpi);
  app.add_option("--out", o.out, "folder of the run");
  app.add_option("--resume", o.resume,
                 "folder of a run to go on with, by the options it has; those given are compared, more --steps go on "
                 "beyond its end. An empty one starts from the beginning");
}

/// The options that the run to go on with has.
std::vector<std::string> stored_options(const CLI::App& app, finetune_options& o) {
  o.common.folder = o.out.empty() ? o.resume : o.out;
  const fs::path file = fs::path(o.resume) / train::options_file;
  std::error_code none;
  if (o.resume.empty() || !fs::exists(file, none)) return {};
  return program::stored_arguments(app, io::read_json(file), file.string());
}

/// What is wrong with the options themselves; fills in what follows from others.
void settle(finetune_options& o) {
  if (o.out.empty()) o.out = o.resume;
  require<value_error>(!o.out.empty(), "--out or --resume is needed");
  const auto plain = [](const std::string& folder) { return fs::weakly_canonical(fs::absolute(folder) / "."); };
  require<value_error>(o.resume.empty() || plain(o.resume) == plain(o.out), "--resume ", o.resume, " and --out ", o.out,
                       " differ; a run goes on in its own folder");
  require<value_error>(o.resume.empty() || !o.data.model.empty() || !o.data.data.empty(), "--resume ", o.resume,
                       ": there is no run to go on with; one begins with --model and --data");
  o.data.check();
  o.run.settle(o.data);
  program::settle_intuition(o.method, o.run.intuition);
  const bool begun = train::has_checkpoint(o.out);
  std::error_code none;
  require<value_error>(begun || !fs::exists(fs::path(o.out) / "adapter", none), o.out,
                       " holds an adapter and no checkpoint to go on from; give another --out");
  if (const fs::path file = fs::path(o.out) / train::options_file; fs::exists(file, none)) {
    const nlohmann::json kept = io::read_json(file);
    require<value_error>(kept.is_object() && kept.contains("model"), file.string(),
                         ": is of no run and would be replaced; give another --out");
  }
  require<value_error>(!begun || !o.resume.empty(), o.out, " holds a run; --resume ", o.out,
                       " goes on with it, or give another --out");
}

template <class B>
void finetune(B& device, distributed::process_group& processes, finetune_options o, const nlohmann::json& given) {
  settle(o);
  const auto saved = train::saved_state(o.out);
  const train::schedule_settings schedule = o.schedule.settings();
  peft::adapter_spec spec = program::spec_of(o.method, o.common.seed, schedule.learning_rate);
  // A run that is to be longer than it was keeps its data.
  std::optional<index_t> suite_examples;
  if (saved && saved->settings.contains("suite_examples") && saved->settings["suite_examples"].is_number_integer())
    suite_examples = saved->settings["suite_examples"].get<index_t>();
  train::experiment<B> experiment(device, o.data, schedule, o.common.seed, !o.common.quiet, suite_examples, nullptr,
                                  processes);
  const peft::adapter_spec reference = program::reference_of(o.method);
  if (o.match_parameters) {
    spec = program::matched(*experiment.model, spec, reference, o.common);
    program::set_clusters(o.method, spec.method);
  }
  if (o.routers) {
    program::require_routers(spec, "--method " + o.method.method);
    require<value_error>(!experiment.scored.empty(), "--routers: there are no items to route");
  }
  train::run_request request{.label = o.method.method,
                             .spec = spec,
                             .schedule = schedule,
                             .how = o.run,
                             .seed = o.common.seed,
                             .out = o.out,
                             .log = o.common.log,
                             .embeddings = fs::path(o.out) / "embeddings.safetensors",
                             .options = given,
                             .goes_on = (processes.size() > 1 ? text("mpirun -n ", processes.size(), " finetune --mpi")
                                                              : std::string("finetune")) +
                                        " --resume " + program::in_shell(o.out),
                             .saved = saved};
  if (o.match_scale) request.match_scale = reference.method.scale();
  program::run_printer printer(o.common);
  train::run<B> run(experiment, request, &printer);
  bool finished = run.finished();
  distributed::broadcast(processes, std::span(&finished, 1));
  if (finished) {
    if (!processes.leads()) return;
    program::say(o.common, "{} is finished: {} steps\n", o.out, run.steps());
    return program::write_results(o.common, io::read_json(fs::path(o.out) / "result.json"));
  }
  const nlohmann::json result = run.run_all();
  if (!processes.leads()) return;
  if (o.routers)
    program::write_routers(fs::path(o.out) / "routers", experiment.scored.routers(run.adapters()), o.common);
  program::write_results(o.common, result);
}

}  // namespace

int main(int argc, char** argv) {
  finetune_options options;
  const CLI::App* parsed = nullptr;
  return program::run(
      argc, argv, "finetune", "Fine-tunes a frozen language model with low-rank adapters", options.common,
      [&](CLI::App& app) {
        parsed = &app;
        add_options(app, options);
      },
      [&] {
        program::with_processes(options.mpi, options.common, [&](distributed::process_group& processes) {
          with_device(options.common.device,
                      [&](auto& device) { finetune(device, processes, options, program::options_given(*parsed)); });
        });
      },
      [&](const CLI::App& app) { return stored_options(app, options); });
}
