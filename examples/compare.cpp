// compare: every method on one model, the same data, and equal terms.
//
//     compare --out DIR
//     compare --out DIR --contestants lora,mor1e,mor1e+random --data FOLDER --steps 200
//
// The first is the generated suite, three seeds, an update of one scale per rank and as many parameters for all.
// A contestant is the name of a method with options behind it: mor1e+no-intuition, mor1e+random (a random direction
// for every text in place of its intuition), mix+factorised. The first is what the others are held against. DIR holds
// a folder a contestant and seed with its adapter and run.json, comparison.json, comparison.md and a picture; what is
// finished there is not run again, and what was stopped goes on.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "comparison.hpp"
#include "finetune_options.hpp"
#include "matched.hpp"
#include "mor1e/core/quartiles.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/io/json_fields.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/train/run.hpp"
#include "run_printer.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {

struct compare_options {
  program::common_options common;
  train::data_settings data{.model = "smollm2", .data = "suite", .eval_limit = 60};
  program::schedule_options schedule{.preset = "suite", .steps = 60, .learning_rate = 1e-3};
  train::run_settings run;
  std::string contestants =
      "lora,dora,molora,sira,loramoe,hydralora,adamole,mix,mor1e,mor1e-paper,mor1e+low-rank-router,mor1e+no-router,"
      "mor1e+no-intuition,mor1e+random";  // rslora at the scale of lora is lora
  std::string out;
  int seeds = 3;
  double margin = 2;
  bool own_scale = false, own_parameters = false;
};

struct contestant {
  std::string name;
  program::method_options method = {};
  std::string control = {};  ///< random or category, in place of the intuition
};

/// "mor1e+no-router+random". Throws `value_error` for an option that is not known.
contestant contestant_of(const std::string& name) {
  std::vector<std::string> flags{"before"};  // the intuition before the softmax, for short
  for (const program::detail::shared_option& o : program::detail::all_options())
    if (std::holds_alternative<bool>(o.field.value)) flags.push_back(std::string(o.field.about.option).substr(2));
  contestant out{.name = name};
  std::size_t at = std::min(name.find('+'), name.size());
  out.method.method = name.substr(0, at);
  while (at < name.size()) {
    const std::size_t end = std::min(name.find('+', at + 1), name.size());
    const std::string option = name.substr(at + 1, end - at - 1);
    if ((option == "random" || option == "category") && out.control.empty())
      out.control = option;
    else if (std::find(flags.begin(), flags.end(), option) != flags.end())
      out.method.flags[option == "before" ? "--intuition-before" : "--" + option] = true;
    else
      throw value_error(fmt::format("--contestants: '{}' in {} is none of {}, random, category", option, name,
                                    fmt::join(flags, ", ")));
    at = end;
  }
  return out;
}

void add_options(CLI::App& app, compare_options& o) {
  program::add_data_options(app, o.data);
  app.add_option("--contestants", o.contestants,
                 "method[+option...],...; the first is what the others are held against")
      ->capture_default_str();
  app.add_option("--seeds", o.seeds, "runs of each, with other initial values, orders and clusters")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--own-scale", o.own_scale, "leave each update at its method's own scale");
  app.add_flag("--own-params", o.own_parameters, "leave each method at its own size");
  app.add_option("--margin", o.margin, "points within which two accuracies count as equivalent")
      ->check(CLI::Range(1e-3, 100.))
      ->capture_default_str();
  program::add_run_options(app, o.run);
  program::add_schedule_options(app, o.schedule);
  app.add_option("--out", o.out, "folder of the comparison")->required();
}

/// Median time of the steps that a run's log tells of, the first apart: it also plans.
double step_seconds(const fs::path& log) {
  std::vector<double> seconds;
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const std::string where = text(log.string(), ":", seconds.size() + 1);
    const nlohmann::json content = io::parse_json(line, where);
    io::json_fields step(content, where);
    seconds.push_back(step.number("tokens", 0) / step.number("tokens_per_second", 0));
  }
  if (seconds.size() > 1) seconds.erase(seconds.begin());
  return seconds.empty() ? 0 : quartiles(seconds)[2];
}

/// Of one run, which prints nothing of its own.
program::common_options common_of(const compare_options& o, std::uint64_t seed) {
  program::common_options common = o.common;
  common.seed = seed, common.quiet = true, common.log.clear(), common.json.clear();
  return common;
}

/// What a contestant is run as with this seed.
template <class B>
train::run_request request_of(train::experiment<B>& experiment, const compare_options& o, const contestant& of,
                              std::uint64_t seed) {
  const train::schedule_settings schedule = o.schedule.settings();
  const peft::adapter_spec reference = program::reference_of(of.method);
  peft::adapter_spec spec = program::spec_of(of.method, seed, schedule.learning_rate);
  require<value_error>(of.control.empty() || spec.method.needs().clusters > 0, "--contestants: ", of.name,
                       " reads no intuition");
  if (!o.own_parameters) spec = program::matched(*experiment.model, spec, reference, common_of(o, seed));
  train::run_request request{.label = of.name,
                             .spec = spec,
                             .measure_scale = true,
                             .schedule = schedule,
                             .how = o.run,
                             .seed = seed,
                             .out = fs::path(o.out) / of.name / text("seed", seed),
                             .embeddings = fs::path(o.out) / "embeddings.safetensors",
                             .keep_data = false,
                             .saved = train::saved_state(fs::path(o.out) / of.name / text("seed", seed))};
  request.how.control = of.control;
  if (!o.own_scale) request.match_scale = reference.method.scale();
  return request;
}

/// One run, or what is left of it from before.
template <class B>
program::run_record run_once(train::experiment<B>& experiment, const compare_options& o, const contestant& of,
                             std::uint64_t seed) {
  const train::run_request request = request_of(experiment, o, of, seed);
  program::run_printer printer(common_of(o, seed));
  train::run<B> run(experiment, request, &printer);
  nlohmann::json settings = run.settings();
  settings["items"] = experiment.scored.hash();
  const fs::path kept = request.out / "run.json";
  if (fs::exists(kept)) {
    const nlohmann::json before = io::read_json(kept);
    require<io_error>(before.contains("settings") && before.contains("record"), kept.string(), ": is no run's");
    const std::string advice = train::check_settings(before["settings"], settings, request.out.string());
    if (!advice.empty()) program::warn(o.common, "{}: the runs are not alike", advice);
    try {
      return before["record"].get<program::run_record>();
    } catch (const nlohmann::json::exception& e) {
      throw io_error(text(kept.string(), ": ", e.what()));
    }
  }
  const nlohmann::json result = run.run_all();
  const program::run_record record{.size = request.spec.method.size(),
                                   .parameters = result.at("parameters").get<std::int64_t>(),
                                   .own_scale = result.at("scale").at("own").get<double>(),
                                   .scale = result.at("scale").at("run").get<double>(),
                                   .last_loss = result.at("last_loss").get<double>(),
                                   .step_seconds = step_seconds(request.out / "log.jsonl"),
                                   .step_memory = run.step_memory(),
                                   .base = program::marks(run.scores().before),
                                   .right = program::marks(run.scores().after),
                                   .permuted = program::marks(run.scores().permuted)};
  io::write_json(kept, {{"settings", settings}, {"record", record}});
  for (const char* folder : {"checkpoint", "checkpoint.previous"})  // nothing is left to go on with
    fs::remove_all(request.out / folder);
  return record;
}

template <class B>
void compare(B& device, compare_options o) {
  io::require_writable_folder(o.out);
  o.data.check();
  o.run.settle(o.data);
  std::vector<contestant> contestants;
  for (const std::string& name : program::split(o.contestants)) contestants.push_back(contestant_of(name));
  require<value_error>(!contestants.empty(), "--contestants: nobody");
  require<value_error>(o.data.eval_limit > 0, "--eval-limit 0: nothing to compare by");
  require<value_error>(o.run.memory.empty(),
                       "--memory: what one run needs depends on those before it; use --recompute");
  for (contestant& c : contestants) program::settle_intuition(c.method, o.run.intuition);
  const train::schedule_settings schedule = o.schedule.settings();
  train::experiment<B> experiment(device, o.data, schedule, o.common.seed, !o.common.quiet);
  require<value_error>(!experiment.scored.empty(), "--data ", o.data.data, ": no task has an eval.jsonl to compare by");
  // Everything that can be wrong with anybody is found before anything is written.
  for (const contestant& c : contestants) train::run<B>(experiment, request_of(experiment, o, c, o.common.seed));
  fs::create_directories(o.out);
  train::keep_rows(experiment.rows.made, fs::path(o.out) / "data");
  std::vector<program::contestant_result> results;
  for (const contestant& c : contestants) results.push_back({c.name, {}});
  const std::int64_t runs = std::int64_t(contestants.size()) * o.seeds;
  train::progress progress("comparing", runs, o.common.quiet);
  program::log_file log(o.common);
  for (int seed = 0; seed < o.seeds; ++seed)
    for (std::size_t c = 0; c < contestants.size(); ++c) {
      const auto record = run_once(experiment, o, contestants[c], o.common.seed + std::uint64_t(seed));
      results[c].runs.push_back(record);
      const auto right = std::count(record.right.begin(), record.right.end(), '1');
      log.write({{"method", contestants[c].name}, {"seed", seed}, {"right", right}, {"record", record}});
      progress.show(std::int64_t(std::size_t(seed) * contestants.size() + c + 1),
                    fmt::format("{} {} of {}", contestants[c].name, right, record.right.size()));
    }
  progress.finish();

  const auto summary = program::summarise(results, o.margin);
  const std::string& base = results.front().runs.front().base;
  const std::string report = fmt::format(
      "{} on {}, {} steps of {}, rate {:g}, {} seeds, {} items; {}, {}. The base alone: {:.1f} %.\n\n{}\n"
      "Accuracies in per cent by log-likelihood. Differences are in points on the same items: mean over the seeds, its "
      "95 % interval over them (Student), and each seed, * where an exact McNemar test tells its two models apart "
      "(p < 0.05). The two p are of tests over the seeds: that there is no mean difference (t-test, adjusted for all "
      "methods by Holm), and that it is {:g} points or more (two one-sided t-tests).\n",
      o.data.data, o.data.model, schedule.steps ? text(schedule.steps) : text(schedule.epochs, " epochs in"),
      schedule.batch, schedule.learning_rate, o.seeds, base.size(),
      o.own_scale ? "each method's own scale" : "one scale per rank", o.own_parameters ? "own size" : "one size",
      program::percent_right(base), program::table(summary, o.margin), o.margin);
  program::say(o.common, "{}", report);
  io::write_text(fs::path(o.out) / "comparison.md", report);
  if (!program::draw(o.out, summary)) program::say(o.common, "no picture: gnuplot did not draw it\n");
  nlohmann::json json = {
      {"base", program::percent_right(base)}, {"items", base.size()}, {"seeds", o.seeds}, {"margin", o.margin}};
  for (const auto& line : summary) json["methods"].push_back(program::to_json(line));
  io::write_json(fs::path(o.out) / "comparison.json", json);
  program::write_results(o.common, json);
}

}  // namespace

int main(int argc, char** argv) {
  compare_options options;
  return program::run(
      argc, argv, "compare", "Fine-tunes every method on equal terms and holds them against each other", options.common,
      [&](CLI::App& app) { add_options(app, options); },
      program::on_device(options.common, [&](auto& device) { compare(device, options); }),
      [&](const CLI::App&) {
        options.common.folder = options.out;
        return std::vector<std::string>{};
      });
}
