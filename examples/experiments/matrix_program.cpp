// Definitions of experiments/matrix_program.hpp: compiled once for all programs that run a matrix.
#include "experiments/matrix_program.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "experiments/dry_run.hpp"
#include "experiments/runner.hpp"
#include "mor1e/mor1e.hpp"
#include "picture.hpp"
#include "stored_options.hpp"

namespace mor1e::program {

namespace fs = std::filesystem;

namespace {

/// The options of --quick and of a plan, as far as they were not given.
std::vector<std::string> further_arguments(const CLI::App& app, bool quick, const std::string& plan) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& name, const std::string& value) {
    const std::string option = "--" + name + "=";
    const bool added =
        std::any_of(out.begin(), out.end(), [&](const auto& other) { return other.starts_with(option); });
    if (app.count("--" + name) == 0 && !added) out.push_back(option + value);
  };
  if (!plan.empty()) {
    const nlohmann::json options = io::read_json(plan);
    require<io_error>(options.is_object(), plan, ": is no object of options");
    for (const auto& [name, value] : options.items()) {
      const CLI::Option* option = app.get_option_no_throw("--" + name);
      require<io_error>(option && name != "plan" && name != "help", plan, ": ", in_quotes(name), " is no option");
      std::vector<std::string> values;
      const bool several = value.is_array();
      for (const nlohmann::json& one : several ? value : nlohmann::json::array({value})) {
        require<io_error>(one.is_string() || one.is_number() || one.is_boolean(), plan, ": ", in_quotes(name), " is ",
                          io::brief(one));
        values.push_back(one.is_string() ? one.get<std::string>() : one.dump());
      }
      if (option->get_items_expected_max() <= 1)
        add(name, fmt::format("{}", fmt::join(values, ",")));
      else if (app.count("--" + name) == 0)
        for (const std::string& one : values) out.push_back("--" + name + "=" + one);
    }
  }
  if (quick)
    for (const auto& [name, value] : {std::pair("model", "toy"), std::pair("data", "suite"), std::pair("steps", "6"),
                                      std::pair("batch", "40"), std::pair("eval-limit", "12"), std::pair("seeds", "2")})
      add(name, value);
  return out;
}

/// The options given, as a plan: what they say again.
nlohmann::json plan_of(const CLI::App& app) {
  nlohmann::json out = nlohmann::json::object();
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = detail::name_of(*option);
    const auto not_the_matrix = {"plan", "quick", "part", "from", "dry-run", "threads", "log"};
    if (option->count() == 0 || name.empty() || detail::of_process(name) ||
        std::find(not_the_matrix.begin(), not_the_matrix.end(), name) != not_the_matrix.end())
      continue;
    if (option->get_items_expected_max() == 0)
      out[name] = option->results().back() != "false";
    else if (option->get_items_expected_max() > 1)
      out[name] = option->results();
    else
      out[name] = option->results().back();
  }
  return out;
}

void write(const matrix_program& p, const report& r, const std::vector<model_summary>& models,
           const nlohmann::json& plan) {
  const matrix_options& o = p.options;
  const fs::path base = fs::path(o.out) / p.name;
  say(o.common, "{}", markdown(r));
  io::write_text(base.string() + ".md", markdown(r));
  io::write_text(base.string() + ".tex", latex(r));
  io::write_text(base.string() + ".csv", csv(models, o.common.seed));
  nlohmann::json json = {
      {"title", r.title}, {"terms", r.terms}, {"plan", plan}, {"seeds", o.seeds}, {"margin", o.margin}};
  for (const model_summary& m : models) json["models"].push_back(to_json(m));
  for (const result_table& t : r.tables)
    json["tables"].push_back({{"title", t.title}, {"columns", t.columns}, {"rows", t.rows}});
  io::write_json(base.string() + ".json", json);
  write_results(o.common, json);
}

/// On what terms it was run, in a line.
std::string terms_of(const matrix_options& o, const std::string& metric) {
  const train::schedule_settings s = o.schedule.settings();
  std::string out =
      fmt::format("{}, {} of {}, ", name_in(o.data.data),
                  s.steps ? fmt::format("{} steps", s.steps) : fmt::format("{:g} epochs in steps", s.epochs), s.batch);
  out += o.tune.empty() ? fmt::format("rate {:g}", s.learning_rate)
                        : fmt::format(
                              "each method at the best of the rates {} on {} rows of each task that are neither "
                              "trained on nor reported (one run each)",
                              o.tune, o.data.dev_limit);
  out += fmt::format(", {} seeds; {}, {}.", o.seeds, o.own_scale ? "each method's own scale" : "one scale per rank",
                     o.own_parameters ? "own size" : "one size");
  out += fmt::format(" Right by {}; at most {} items of each task{}.", metric, o.data.eval_limit,
                     o.data.train_limit ? fmt::format(", {} rows to train on", o.data.train_limit) : "");
  if (o.common.device.products != "fp32") out += fmt::format(" Products in {}.", o.common.device.products);
  return out;
}

template <class B>
void run_program(B& device, matrix_program& p, const nlohmann::json& plan) {
  matrix_options& o = p.options;
  const std::vector<contestant> contestants = contestants_of(o);
  io::require_writable_folder(o.out);
  matrix_runner<B> runner(device, o, contestants);
  runner.check();
  fs::create_directories(o.out);
  io::write_json(fs::path(o.out) / (std::string(p.name) + ".plan.json"), plan);
  const matrix_results results = runner.run_all();
  if (results.untuned > 0)
    return say(
        o.common,
        "the learning rates of {} contestants wait for runs of the other parts: take these over with --from FOLDER, "
        "then go on with this part\n",
        results.untuned);
  if (results.missing > 0)
    return say(o.common, "{} runs are missing: the other parts have them; --from FOLDER takes them over\n",
               results.missing);
  const summary_options how{.margin = o.margin, .metric = o.score, .only = {}};
  std::vector<model_summary> models;
  for (const model_results& m : results.models) models.push_back(summarise(m, how));
  const std::string metric = metric_of(results.models.front().contestants.front().runs.front().right, o.score);
  report r{.title = p.description, .terms = terms_of(o, metric), .tables = {}, .notes = {}, .pictures = {}};
  if (p.describe)
    p.describe(o, results, models, r);
  else
    describe_models(o, p.name, models, r);
  for (const model_results& m : results.models)
    for (const contestant_results& c : m.contestants)
      if (const std::string edge = edge_of(c.tuned, c.learning_rate.value_or(0)); !edge.empty())
        r.notes.push_back(fmt::format("{}: {} was best at {:g}, the {} rate tried: a better one may lie beyond.",
                                      m.model, c.of.label, *c.learning_rate, edge));
  write(p, r, models, plan);
}

}  // namespace

void describe_models(const matrix_options& o, const char* name, const std::vector<model_summary>& models, report& to) {
  for (const model_summary& m : models) {
    to.tables.push_back(overview(m, o.margin));
    if (m.contestants.front().tasks.size() > 1) to.tables.push_back(by_task(m));
    std::vector<estimate> accuracies;
    for (const contestant_summary& s : m.contestants)
      accuracies.push_back({s.label, s.accuracy.mean(), s.accuracy.low(), s.accuracy.high()});
    const std::string picture =
        models.size() > 1 ? fmt::format("{}-{}.svg", name, &m - models.data() + 1) : fmt::format("{}.svg", name);
    const std::vector<guide> guides{{"chance", m.chance}, {"without training", m.base}};
    const chart c{.title = fmt::format("{}, {} items, {} seeds: mean, least and largest", m.model, m.items, o.seeds),
                  .x_label = "accuracy, per cent",
                  .least_range = 20};
    if (draw_estimates(fs::path(o.out) / picture, c, accuracies, guides)) to.pictures.push_back(picture);
  }
  to.notes.push_back(legend(o.margin, o.seeds));
}

int run_matrix(int argc, char** argv, matrix_program& p) {
  matrix_options& o = p.options;
  bool quick = false;
  std::string plan;
  const CLI::App* parsed = nullptr;
  return run(
      argc, argv, p.name, p.description, o.common,
      [&](CLI::App& app) {
        parsed = &app;
        add_matrix_options(app, o);
        app.add_flag("--quick", quick, "the toy model, the generated suite, six steps and two seeds, where not given");
        app.add_option("--plan", plan, "options from this file, {\"steps\": 60, ...}; those given come before them");
        if (p.setup) p.setup(app);
      },
      [&] {
        if (p.instead && p.instead(o)) return;
        if (p.prepare) p.prepare(o);
        settle(o);
        o.run.settle(o.data);
        if (o.dry_run) {
          const matrix_cost cost = cost_of(o, contestants_of(o), p.name);
          say(o.common, "{}", markdown(cost.table));
          return write_results(o.common, cost.json);
        }
        with_device(o.common.device, [&](auto& device) { run_program(device, p, plan_of(*parsed)); });
      },
      [&](const CLI::App& app) {
        o.common.folder = o.out;
        return further_arguments(app, quick, plan);
      });
}

}  // namespace mor1e::program
