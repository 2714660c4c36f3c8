// finetune: trains adapters on a frozen model.
//
//     finetune --model smollm2 --data suite --method mor1e --preset suite --out run
//     finetune --resume run                               # goes on where it was stopped, bit for bit
//
// OUT holds adapter/ (a PEFT folder), checkpoint/ (to resume), log.jsonl (one object a step), result.json, and data/
// when the data was generated.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/data/sampling.hpp"
#include "mor1e/data/suite.hpp"
#include "mor1e/data/task_file.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/optim/schedule.hpp"
#include "mor1e/train/checkpoint.hpp"
#include "mor1e/train/examples.hpp"
#include "mor1e/train/memory_limit.hpp"
#include "mor1e/train/run_folder.hpp"
#include "mor1e/train/settings.hpp"
#include "mor1e/train/telemetry.hpp"
#include "mor1e/train/training_intuition.hpp"
#include "program.hpp"
#include "run_evaluation.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {

struct finetune_options {
  program::common_options common;
  std::string model, data, method = "mor1e", out, resume, tasks, preset = "quick", targets, intuition, wording, answer,
                           order, memory, prefix;
  train::schedule_settings schedule;
  index_t max_length = 2048, micro_batch = 0, train_limit = 0, checkpoint_every = 20, eval_limit = 100, eval_every = 0;
  int rank = 32, experts = 32, clusters = 0, r1 = 4, r2 = 8;
  double alpha = 16, gate_rate = 0, dropout = 0;
  bool truncate = false, recompute = false, no_router = false, no_intuition = false, intuition_before = false,
       low_rank_router = false, factorised = false;
};

void add_options(CLI::App& app, finetune_options& o) {
  const CLI::Range count(1, 1 << 30);
  // A range of CLI11's lets "nan" pass.
  const auto number = [](bool zero) {
    return [zero](const std::string& written) -> std::string {
      char* end = nullptr;
      const double value = std::strtod(written.c_str(), &end);
      const bool good =
          end != written.c_str() && *end == 0 && std::isfinite(value) && (value > 0 || (zero && value == 0));
      return good ? "" : "'" + written + "' is not a number " + (zero ? "from 0 on" : "above 0");
    };
  };
  const auto positive = number(false), not_negative = number(true);
  const auto rate = [](const std::string& written) -> std::string {
    char* end = nullptr;
    const double value = std::strtod(written.c_str(), &end);
    return end != written.c_str() && *end == 0 && value >= 0 && value < 1 ? ""
                                                                          : "'" + written + "' is no rate in [0, 1)";
  };
  app.add_option("--model", o.model, "folder, .gguf file, short name (smollm2) or toy");
  app.add_option("--data", o.data, "data folder with <task>/train.jsonl, or suite for the generated one");
  app.add_option("--method", o.method, fmt::format("{}", fmt::join(peft::method_names(), ", ")))->capture_default_str();
  app.add_option("--out", o.out, "folder of the run");
  app.add_option("--resume", o.resume, "folder of a run to go on with; an empty one starts from the beginning");
  app.add_option("--tasks", o.tasks, "a,b: only these tasks");
  app.add_option("--preset", o.preset, "paper, release, quick or suite: batch, rate, warm-up, clip, epochs")
      ->capture_default_str();
  app.add_option("--rank", o.rank, "of lora and dora; of each expert of molora, sira, ...")
      ->check(count)
      ->capture_default_str();
  app.add_option("--alpha", o.alpha, "of lora, dora, molora, ...: the update is multiplied by alpha / rank")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--dropout", o.dropout, "of lora and dora: part of the adapters' input that is dropped in training")
      ->check(rate)
      ->capture_default_str();
  app.add_option("--experts", o.experts, "of a mixture")->check(count)->capture_default_str();
  app.add_option("--r1", o.r1, "of mix: input vectors")->check(count)->capture_default_str();
  app.add_option("--r2", o.r2, "of mix: output vectors")->check(count)->capture_default_str();
  app.add_flag("--factorised", o.factorised, "mix with routers of r1 + r2 rows instead of r1 r2");
  app.add_option("--clusters", o.clusters,
                 "of the intuition; the number of experts (pairs of a mix) unless given. Another number weighs the "
                 "experts through a learned map")
      ->check(count);
  app.add_option("--targets", o.targets, "q_proj,v_proj,...: only these linears; all but the head unless given");
  app.add_option(
      "--intuition", o.intuition,
      "embedder: minilm (the default), a BERT folder, toy (the default of the toy model); or random, category, none");
  app.add_option("--prefix", o.prefix, "put before every text that is embedded");
  app.add_flag("--no-router", o.no_router, "mor1e with the intuition alone; so mix");
  app.add_flag("--no-intuition", o.no_intuition, "mor1e with the router alone");
  app.add_flag("--intuition-before", o.intuition_before, "mor1e with the intuition inside the router's softmax");
  app.add_flag("--low-rank-router", o.low_rank_router,
               "mor1e with a router that reads the experts' products instead of the input");
  app.add_option("--gate-rate", o.gate_rate, "learning rate of mor1e's gates (release: 5e-5)")->check(not_negative);
  app.add_option("--batch", o.schedule.batch, "examples of a step")->check(count);
  app.add_option("--micro-batch", o.micro_batch,
                 "tokens of one pass, at least those of the longest example; does not change the result")
      ->check(count)
      ->default_str("2048 or longest");
  app.add_option("--lr", o.schedule.learning_rate, "highest learning rate")->check(positive);
  app.add_option("--warmup", o.schedule.warmup, "steps")->check(CLI::NonNegativeNumber);
  app.add_option("--clip", o.schedule.clip, "largest gradient norm; 0: none")->check(not_negative);
  app.add_option("--weight-decay", o.schedule.weight_decay, "decoupled")->check(not_negative);
  app.add_option("--epochs", o.schedule.epochs, "passes over the data")->check(positive);
  app.add_option("--steps", o.schedule.steps, "optimiser steps, instead of epochs")->check(count);
  app.add_option("--order", o.order, "shuffled or round-robin over the tasks");
  app.add_option("--max-length", o.max_length, "tokens of an example")->check(count)->capture_default_str();
  app.add_flag("--truncate", o.truncate, "cut longer prompts at their left instead of refusing");
  app.add_option("--train-limit", o.train_limit, "rows of each task")->check(count);
  app.add_option("--template", o.wording, "plain, release or bare; the rows' own unless given");
  app.add_option("--answer", o.answer, "letter or text; the rows' own unless given");
  app.add_flag("--recompute", o.recompute,
               "run blocks again in the backward: a third of the memory, a third more time");
  app.add_option("--memory", o.memory, "900MB, 2.4GB: fit the step into this, or refuse");
  app.add_option("--eval-limit", o.eval_limit, "rows of each task's eval.jsonl scored before and after; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--eval-every", o.eval_every, "steps; also score while training, into the log")->check(count);
  app.add_option("--checkpoint-every", o.checkpoint_every, "steps")->check(count)->capture_default_str();
}

/// The preset's schedule with what was given on the command line on top.
train::schedule_settings schedule_of(const CLI::App& app, const finetune_options& o) {
  train::schedule_settings s = train::schedule_of(o.preset);
  const auto given = [&](const char* name) { return app.count(name) > 0; };
  if (given("--batch")) s.batch = o.schedule.batch;
  if (given("--lr")) s.learning_rate = o.schedule.learning_rate;
  if (given("--warmup")) s.warmup = o.schedule.warmup;
  if (given("--clip")) s.clip = o.schedule.clip;
  if (given("--weight-decay")) s.weight_decay = o.schedule.weight_decay;
  if (given("--epochs")) s.epochs = o.schedule.epochs, s.steps = 0;
  if (given("--steps")) s.steps = o.schedule.steps;
  return s;
}

peft::adapter_spec spec_of(const CLI::App& app, const finetune_options& o, double learning_rate) {
  peft::adapter_spec spec = peft::preset(o.method);
  spec.seed = o.common.seed;
  if (!o.targets.empty()) spec.targets.clear();
  for (std::size_t at = 0; at < o.targets.size();) {
    const std::size_t comma = std::min(o.targets.find(',', at), o.targets.size());
    spec.targets.push_back(o.targets.substr(at, comma - at));
    at = comma + 1;
  }
  std::visit(
      [&](auto& method) {  // what was given, on top of the preset of a mixture of low-rank experts
        if constexpr (requires { method.losses; }) {
          if (app.count("--experts")) method.experts = o.experts;
          if (app.count("--rank")) method.rank = o.rank;
          if (app.count("--alpha")) method.alpha = o.alpha;
        }
      },
      spec.method);
  // The gates are sigmoid(100 a): at the rate of the matrices they would saturate within tens of steps.
  const double gate_scale = (app.count("--gate-rate") ? o.gate_rate : train::release_gate_rate) / learning_rate;
  if (auto* lora = std::get_if<peft::lora>(&spec.method)) {
    lora->rank = o.rank, lora->alpha = o.alpha, lora->dropout = o.dropout;
  } else if (auto* mor1e = std::get_if<peft::mor1e>(&spec.method)) {
    mor1e->experts = o.experts;
    if (o.no_router) mor1e->router = false;
    if (o.no_intuition || o.intuition == "none") mor1e->intuition = false;
    if (mor1e->intuition && o.clusters != o.experts) mor1e->clusters = o.clusters;
    mor1e->before = o.intuition_before, mor1e->low_rank_router = o.low_rank_router;
    mor1e->gate_learning_rate_scale = gate_scale;
  } else if (auto* dora = std::get_if<peft::dora>(&spec.method)) {
    dora->rank = o.rank, dora->alpha = o.alpha, dora->dropout = o.dropout;
  } else if (auto* mix = std::get_if<peft::mix_and_match>(&spec.method)) {
    mix->r1 = o.r1, mix->r2 = o.r2, mix->factorised = o.factorised;
    if (o.no_router) mix->router = false;
    if (o.no_intuition || o.intuition == "none") mix->intuition = false;
    if (mix->intuition && o.clusters != o.r1 * o.r2) mix->clusters = o.clusters;
    mix->gate_learning_rate_scale = gate_scale;
  }
  return spec;
}

/// What is trained on and scored, and where the rows are to be found again.
struct run_data {
  std::vector<data::task_data> made;   ///< the whole suite, if it is to be kept in the run's folder
  std::vector<data::task_data> tasks;  ///< those chosen
};

run_data load_data(const finetune_options& o, const texts::tokenizer& tokenizer,
                   const train::schedule_settings& schedule) {
  run_data out;
  if (o.data == "suite") {
    // A byte tokenizer has no one-token words: any will do there.
    const bool bytes = tokenizer.vocabulary_size() < 1000;
    const auto one_token = [&](std::string_view word) {
      return bytes || tokenizer.encode(text(" ", word), false).size() == 1;
    };
    data::suite_options suite{.eval_items = 60, .train_seed = o.common.seed, .eval_seed = 2026};
    const index_t families = index_t(data::suite_families().size());
    // New items for every step; a long run meets them again, as no family gives more than a few thousand.
    if (schedule.steps > 0)
      suite.train_items = std::min<index_t>(2000, (schedule.steps * schedule.batch + families - 1) / families);
    out.made = data::make_suite(one_token, suite);
    std::vector<std::string> names;
    for (const auto& task : out.made) names.push_back(task.name);
    for (const std::string& name : data::select_tasks(names, o.tasks))
      out.tasks.push_back(
          *std::find_if(out.made.begin(), out.made.end(), [&](const auto& task) { return task.name == name; }));
  } else {
    out.tasks = data::read_data_folder(o.data, o.tasks, data::splits::train);
    for (data::task_data& task : out.tasks)
      if (const fs::path file = fs::path(o.data) / task.name / "eval.jsonl"; o.eval_limit > 0 && fs::exists(file))
        task.eval = data::read_task_file(file);
  }
  // A task is its folder, whatever its rows call it.
  for (data::task_data& task : out.tasks)
    for (auto* rows : {&task.train, &task.eval})
      for (data::example& row : *rows) row.task = task.name;
  return out;
}

/// Writes the generated suite, unless it is there. Other data is not replaced.
void keep_data(const std::vector<data::task_data>& tasks, const fs::path& folder) {
  if (tasks.empty()) return;
  if (!fs::exists(folder)) return data::write_data_folder(folder, tasks);
  for (const data::task_data& task : tasks)
    for (const auto& [file, rows] : {std::pair("train.jsonl", &task.train), std::pair("eval.jsonl", &task.eval)}) {
      std::string lines;
      for (const data::example& row : *rows) lines += data::to_line(row) + '\n';
      const fs::path path = folder / task.name / file;
      require<value_error>(fs::exists(path) && io::read_text(path) == lines, path.string(),
                           " is not what this run generates; give another --out");
    }
}

/// The intuition of the training, with all that needs no work yet.
train::training_intuition describe_intuition(cpu& device, const finetune_options& o, const train::training_set& set,
                                             const texts::prompt_options& wording) {
  if (o.intuition == "category") return train::category_intuition(set.task_names, o.clusters, wording);
  const bool random = o.intuition == "random";
  const std::string embedder = random ? (o.model == models::toy_name ? models::toy_name : "minilm") : o.intuition;
  return train::embedded_intuition(models::load_sentence_embedder(device, embedder), set.rows,
                                   random ? train::intuition_kind::random : train::intuition_kind::clusters, o.clusters,
                                   wording, o.prefix, o.common.seed);
}

/// How many tokens a micro-batch has: what was given, or enough. Throws `value_error` for less than an example has.
index_t micro_batch(const finetune_options& o, const train::training_set& set) {
  const auto longest = std::max_element(set.examples.begin(), set.examples.end(),
                                        [](const auto& a, const auto& b) { return a.ids.size() < b.ids.size(); });
  const index_t length = index_t(longest->ids.size());
  require<value_error>(o.micro_batch == 0 || o.micro_batch >= length, "--micro-batch ", o.micro_batch,
                       " is too small for ", longest->id, " of ", length, " tokens");
  return o.micro_batch ? o.micro_batch : std::max<index_t>(2048, length);
}

/// What is wrong with the options themselves; fills in what follows from others.
void settle(finetune_options& o) {
  if (o.out.empty()) o.out = o.resume;
  require<value_error>(!o.out.empty(), "--out or --resume is needed");
  const auto plain = [](const std::string& folder) { return fs::weakly_canonical(fs::absolute(folder) / "."); };
  require<value_error>(o.resume.empty() || plain(o.resume) == plain(o.out), "--resume ", o.resume, " and --out ", o.out,
                       " differ; a run goes on in its own folder");
  require<value_error>(!o.model.empty() && !o.data.empty(), "--model and --data are needed");
  require<value_error>(o.answer.empty() || o.answer == "letter" || o.answer == "text", "--answer ", o.answer,
                       " is neither letter nor text");
  const std::string family = peft::family(peft::preset(o.method));
  require<value_error>(o.dropout == 0 || family == "lora" || family == "dora", "--dropout is of lora and dora, not of ",
                       o.method);
  if (!o.wording.empty()) texts::find_template(o.wording);
  if (o.order.empty()) o.order = o.data == "suite" ? "round-robin" : "shuffled";
  if (o.intuition.empty()) o.intuition = o.model == models::toy_name ? models::toy_name : "minilm";
  require<value_error>(!o.no_router || !(o.no_intuition || o.intuition == "none"),
                       "--no-router and no intuition: nothing weighs the experts");
  if (o.clusters == 0) o.clusters = o.method.starts_with("mix") ? o.r1 * o.r2 : o.experts;
  const bool begun = train::has_checkpoint(o.out);
  std::error_code none;
  require<value_error>(begun || !fs::exists(fs::path(o.out) / "adapter", none), o.out,
                       " holds an adapter and no checkpoint to go on from; give another --out");
  require<value_error>(!begun || !o.resume.empty(), o.out, " holds a run; --resume ", o.out,
                       " goes on with it, or give another --out");
}

/// One line of the log.
nlohmann::json log_line(const train::step_report& report, std::int64_t step, double rate, double seconds,
                        std::span<const std::vector<double>> gates) {
  nlohmann::json line = {{"step", step},
                         {"loss", report.loss},
                         {"lr", rate},
                         {"gradient_norm", report.gradient_norm},
                         {"targets", report.targets},
                         {"tokens", report.tokens},
                         {"tokens_per_second", double(report.tokens) / seconds},
                         {"peak_memory", train::peak_memory()}};
  if (report.auxiliary != 0) line["auxiliary"] = report.auxiliary;
  if (!report.routers.empty()) line["routers"] = train::summarise_routers(report.routers);
  if (!gates[0].empty()) line["gate_a"] = train::quantiles(gates[0]), line["gate_b"] = train::quantiles(gates[1]);
  if (!report.gradient_a.empty())
    line["gradient_a"] = train::quantiles(report.gradient_a), line["gradient_b"] = train::quantiles(report.gradient_b);
  return line;
}

void finetune(const CLI::App& app, finetune_options o) {
  settle(o);
  const fs::path out = o.out;
  std::optional<train::run_state> saved;
  if (train::has_checkpoint(out)) saved = train::read_run_state(out);
  const train::schedule_settings schedule = schedule_of(app, o);
  const peft::adapter_spec spec = spec_of(app, o, schedule.learning_rate);
  const bool intuitive = peft::uses_intuition(spec);
  std::optional<std::uint64_t> limit;
  if (!o.memory.empty()) limit = train::parse_bytes(o.memory);
  const data::sampling_order order = data::sampling_order_named(o.order);

  // Everything that can be wrong is found before anything is written.
  cpu device(o.common.threads);
  const auto from = std::make_shared<io::checkpoint>(models::open(o.model));
  const auto model = models::load<cpu, float>(device, from);
  const std::string base_hash = models::weights_hash(o.model);
  const texts::tokenizer tokenizer = models::open_tokenizer(o.model);
  auto adapters = peft::attach(*model, spec);

  const run_data source = load_data(o, tokenizer, schedule);
  texts::prompt_options wording{o.wording, {}};
  if (!o.answer.empty()) wording.style = o.answer == "letter" ? data::answer_style::letter : data::answer_style::text;
  const train::training_set set = train::encode(
      source.tasks, tokenizer, wording, std::min<index_t>(o.max_length, model->context()), o.truncate, o.train_limit);
  const index_t steps = train::total_steps(schedule, index_t(set.examples.size()));
  data::sampler sampler(set.task_sizes, order, o.common.seed);
  data::packing_options packing{.tokens = micro_batch(o, set)};
  program::evaluation scored(device, *model, tokenizer, source.tasks, wording, o.eval_limit, o.common);
  train::training_intuition intuition;
  if (intuitive) intuition = describe_intuition(device, o, set, wording);

  train::trainer_options options;
  options.adam.learning_rate = schedule.learning_rate;
  options.adam.weight_decay = schedule.weight_decay;
  options.clip = schedule.clip;
  options.program = {.recompute = o.recompute,
                     .statistics = peft::family(spec) != "lora" && peft::family(spec) != "dora",
                     .dropout = o.dropout > 0,
                     .seed = o.common.seed,
                     .clusters = intuitive ? o.clusters : 0};
  if (limit) {
    if (saved) {  // what fitted is kept, so that the resumed run is the same
      const nlohmann::json advice = saved->settings.value("advice", nlohmann::json::object());
      packing.tokens = std::min(packing.tokens, std::max<index_t>(1, advice.value("micro_batch", packing.tokens)));
      options.program.recompute |= advice.value("recompute", false);
    }
    // Gradients, two moments, and what code and buffers the training is the first to touch.
    const std::uint64_t base =
        train::peak_memory() + std::uint64_t(adapters.parameter_count()) * 3 * sizeof(float) + (2u << 20);
    const auto plan =
        train::fit_into(device, *model, set.examples, schedule.batch, packing.tokens, options.program, base, *limit);
    packing.tokens = plan.tokens, options.program.recompute = plan.recompute;
    program::say(o.common, "memory: {:.0f} MB for micro-batches of {} tokens{}\n", double(plan.bytes) / 1e6,
                 plan.tokens, plan.recompute ? ", with recomputation" : "");
  }
  packing.context = packing.tokens;

  train::run_state state;
  state.settings = {{"model", base_hash},
                    {"data", set.hash},
                    {"template", o.wording},
                    {"answer", o.answer},
                    {"method", peft::to_json(spec)},
                    {"steps", steps},
                    {"batch", schedule.batch},
                    {"lr", schedule.learning_rate},
                    {"warmup", schedule.warmup},
                    {"clip", schedule.clip},
                    {"weight_decay", schedule.weight_decay},
                    {"seed", o.common.seed},
                    {"order", o.order},
                    {"intuition", intuitive ? intuition.settings() : nlohmann::json()},
                    {"advice",
                     {{"threads", device.threads().size()},
                      {"micro_batch", packing.tokens},
                      {"recompute", options.program.recompute},
                      {"gemm", "eigen"}}}};
  if (saved) {
    const std::string advice = train::check_settings(saved->settings, state.settings, out.string());
    if (!advice.empty()) fmt::print(stderr, "finetune: {}: the resumed run is not bit for bit the same\n", advice);
    if (saved->step == steps && fs::exists(out / "result.json")) {
      program::say(o.common, "{} is finished: {} steps\n", out.string(), steps);
      return program::write_results(o.common, io::read_json(out / "result.json"));
    }
  }

  const train::run_folder folder(out);
  keep_data(source.made, out / "data");
  if (intuitive) {
    const double inertia = intuition.compute(device, set.rows, out / "embeddings.safetensors", o.common.quiet);
    if (intuition.embedder)
      program::say(o.common, "intuition: {} prompts by {}, {} clusters, inertia {:.4g}{}\n", intuition.prompts.size(),
                   intuition.embedder->id(), o.clusters, inertia,
                   intuition.recipe.kind == train::intuition_kind::random ? ", replaced by random directions" : "");
    scored.feel(device, intuition.recipe, intuition.embedder.get());
    intuition.embedder.reset();
  }
  train::trainer<cpu, float> trainer(device, *model, adapters.parameters(), options);
  if (saved) {
    const nlohmann::json settings = std::exchange(state.settings, {});
    state = train::load_checkpoint(out, trainer);
    state.settings = settings;
    sampler.seek(state.sampler_position);
    program::say(o.common, "resumed at step {} of {}\n", state.step, steps);
  }
  train::json_log log(o.common.log.empty() ? out / "log.jsonl" : fs::path(o.common.log), state.log_bytes);
  program::say(o.common, "{} on {}: {} trainable parameters, {} examples of {} tasks, {} steps of {}\n", o.method,
               o.model, adapters.parameter_count(), set.examples.size(), source.tasks.size(), steps, schedule.batch);

  train::progress progress("training", steps, o.common.quiet);
  bool warned = false;
  for (index_t step = state.step; step < steps; ++step) {
    const auto started = std::chrono::steady_clock::now();
    const auto batches = data::pack(set.examples, sampler.take(schedule.batch), packing);
    const double factor = optim::cosine_with_warmup(step, schedule.warmup, steps);
    const train::step_report report = trainer.step(batches, std::as_const(intuition.rows).matrix(), factor);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    if (step == 0) state.totals.first_loss = report.loss;
    state.totals.last_loss = report.loss, state.totals.tokens += report.tokens, state.totals.seconds += seconds;

    const std::vector<double> gates[] = {train::gate_values(trainer.parameters(), ".gate_a"),
                                         train::gate_values(trainer.parameters(), ".gate_b")};
    nlohmann::json line = log_line(report, step + 1, schedule.learning_rate * factor, seconds, gates);
    std::size_t saturated = 0;
    for (const auto& values : gates)
      saturated +=
          std::size_t(std::count_if(values.begin(), values.end(), [](double g) { return g < 0.02 || g > 0.98; }));
    if (saturated && !std::exchange(warned, true))
      fmt::print(stderr,
                 "finetune: step {}: {} of {} gates sigmoid(100 a) are beyond 0.02 or 0.98 and hardly learn any more\n",
                 step + 1, saturated, gates[0].size() + gates[1].size());
    if (o.eval_every && (step + 1) % o.eval_every == 0 && !scored.empty())
      line["evaluation"] = eval::to_json(eval::summarise(scored.score("scoring")));
    log.write(line);
    progress.show(step + 1, fmt::format("loss {:.4f}  {:.0f} tokens/s", report.loss, double(report.tokens) / seconds));
    if ((step + 1) % o.checkpoint_every == 0 || step + 1 == steps) {
      state.step = step + 1, state.sampler_position = sampler.position(), state.log_bytes = log.size();
      train::save_checkpoint(out, trainer, state);
    }
  }
  progress.finish();

  peft::adapter_record record;
  record.spec = spec;
  record.base_model = o.model;
  record.base_sha256 = base_hash;
  if (intuitive) {
    record.intuition = train::to_json(intuition.recipe);
    record.centroids = intuition.recipe.source.centroids.clone();
  }
  record.extras = {{"template", o.wording}, {"answer", o.answer}, {"tasks", set.task_names}, {"steps", steps}};
  peft::save_adapter(out / "adapter", adapters, record);
  const train::run_totals& totals = state.totals;
  program::say(o.common, "loss {:.4f} -> {:.4f} in {:.0f} s ({:.0f} tokens/s, peak memory {:.2f} GB); adapter in {}\n",
               totals.first_loss, totals.last_loss, totals.seconds,
               double(totals.tokens) / std::max(totals.seconds, 1e-9), double(train::peak_memory()) / 1e9,
               (out / "adapter").string());
  nlohmann::json result = {{"method", o.method},
                           {"steps", steps},
                           {"first_loss", totals.first_loss},
                           {"last_loss", totals.last_loss},
                           {"seconds", totals.seconds},
                           {"tokens", totals.tokens},
                           {"parameters", adapters.parameter_count()},
                           {"peak_memory", train::peak_memory()}};
  if (!scored.empty())
    result["evaluation"] = program::before_and_after(
        scored, adapters, intuitive && intuition.recipe.kind == train::intuition_kind::clusters, o.common);
  io::write_json(out / "result.json", result);
  program::write_results(o.common, result);
}

}  // namespace

int main(int argc, char** argv) {
  finetune_options options;
  const CLI::App* parsed = nullptr;
  return program::run(
      argc, argv, "finetune", "Fine-tunes a frozen language model with low-rank adapters", options.common,
      [&](CLI::App& app) { parsed = &app, add_options(app, options); }, [&] { finetune(*parsed, options); });
}
