// finetune: trains adapters on a frozen model.
//
//     finetune --model smollm2 --data suite --method mor1e --preset suite --out run
//     finetune --resume run                               # goes on where it was stopped, bit for bit
//
// OUT holds adapter/ (a PEFT folder), checkpoint/ (to resume), log.jsonl (one object a step), result.json, and data/ when
// the data was generated.
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mor1e/cluster/intuition.hpp"
#include "mor1e/cluster/kmeans.hpp"
#include "mor1e/data/sampling.hpp"
#include "mor1e/data/suite.hpp"
#include "mor1e/data/task_file.hpp"
#include "mor1e/eval/report.hpp"
#include "mor1e/eval/scoring.hpp"
#include "mor1e/io/sha256.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/optim/schedule.hpp"
#include "mor1e/train/checkpoint.hpp"
#include "mor1e/train/examples.hpp"
#include "mor1e/train/intuition.hpp"
#include "mor1e/train/settings.hpp"
#include "mor1e/train/telemetry.hpp"
#include "program.hpp"

using namespace mor1e;
namespace fs = std::filesystem;

namespace {

struct finetune_options {
  program::common_options common;
  std::string model, data, method = "mor1e", out, resume, tasks, preset = "quick", targets, intuition, wording, answer, order, memory, prefix;
  train::schedule_settings schedule;
  index_t max_length = 2048, micro_batch = 2048, train_limit = 0, checkpoint_every = 20, eval_limit = 100, eval_every = 0;
  int rank = 32, experts = 32, clusters = 0;
  double alpha = 16, gate_rate = 0;
  bool truncate = false, recompute = false, no_router = false, no_intuition = false;
};

void add_options(CLI::App& app, finetune_options& o) {
  const CLI::Range count(1, 1 << 30);
  app.add_option("--model", o.model, "folder, .gguf file, short name (smollm2) or toy");
  app.add_option("--data", o.data, "data folder with <task>/train.jsonl, or suite for the generated one");
  app.add_option("--method", o.method, "lora, mor1e or mor1e-paper")->capture_default_str();
  app.add_option("--out", o.out, "folder of the run");
  app.add_option("--resume", o.resume, "folder of a run to go on with; an empty one starts from the beginning");
  app.add_option("--tasks", o.tasks, "a,b: only these tasks");
  app.add_option("--preset", o.preset, "paper, release, quick or suite: batch, rate, warm-up, clip, epochs")->capture_default_str();
  app.add_option("--rank", o.rank, "of lora")->check(count)->capture_default_str();
  app.add_option("--alpha", o.alpha, "of lora: the update is multiplied by alpha / rank")->capture_default_str();
  app.add_option("--experts", o.experts, "of mor1e")->check(count)->capture_default_str();
  app.add_option("--clusters", o.clusters, "of the intuition; the number of experts unless given")->check(count);
  app.add_option("--targets", o.targets, "q_proj,v_proj,...: only these linears; all but the head unless given");
  app.add_option("--intuition", o.intuition, "embedder: minilm (the default), a BERT folder, toy (the default of the toy model); or random, category, none");
  app.add_option("--prefix", o.prefix, "put before every text that is embedded");
  app.add_flag("--no-router", o.no_router, "mor1e with the intuition alone");
  app.add_flag("--no-intuition", o.no_intuition, "mor1e with the router alone");
  app.add_option("--gate-rate", o.gate_rate, "learning rate of mor1e's gates (release: 5e-5)");
  app.add_option("--batch", o.schedule.batch, "examples of a step")->check(count);
  app.add_option("--micro-batch", o.micro_batch, "tokens of one pass; does not change the result")->check(count)->capture_default_str();
  app.add_option("--lr", o.schedule.learning_rate, "highest learning rate");
  app.add_option("--warmup", o.schedule.warmup, "steps")->check(CLI::NonNegativeNumber);
  app.add_option("--clip", o.schedule.clip, "largest gradient norm; 0: none")->check(CLI::NonNegativeNumber);
  app.add_option("--weight-decay", o.schedule.weight_decay, "decoupled")->check(CLI::NonNegativeNumber);
  app.add_option("--epochs", o.schedule.epochs, "passes over the data")->check(CLI::PositiveNumber);
  app.add_option("--steps", o.schedule.steps, "optimiser steps, instead of epochs")->check(count);
  app.add_option("--order", o.order, "shuffled or round-robin over the tasks");
  app.add_option("--max-length", o.max_length, "tokens of an example")->check(count)->capture_default_str();
  app.add_flag("--truncate", o.truncate, "cut longer prompts at their left instead of refusing");
  app.add_option("--train-limit", o.train_limit, "rows of each task")->check(count);
  app.add_option("--template", o.wording, "plain, release or bare; the rows' own unless given");
  app.add_option("--answer", o.answer, "letter or text; the rows' own unless given");
  app.add_flag("--recompute", o.recompute, "run blocks again in the backward: a third of the memory, a third more time");
  app.add_option("--memory", o.memory, "900MB, 2.4GB: fit the step into this, or refuse");
  app.add_option("--eval-limit", o.eval_limit, "rows of each task's eval.jsonl scored before and after; 0: none")->check(CLI::NonNegativeNumber)->capture_default_str();
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
  for (std::size_t at = 0; at < o.targets.size();) {
    const std::size_t comma = std::min(o.targets.find(',', at), o.targets.size());
    spec.targets.push_back(o.targets.substr(at, comma - at));
    at = comma + 1;
  }
  if (auto* lora = std::get_if<peft::lora>(&spec.method)) {
    lora->rank = o.rank, lora->alpha = o.alpha;
  } else if (auto* mor1e = std::get_if<peft::mor1e>(&spec.method)) {
    mor1e->experts = o.experts;
    if (o.no_router) mor1e->router = false;
    if (o.no_intuition || o.intuition == "none") mor1e->intuition = false;
    // The gates are sigmoid(100 a): at the rate of the matrices they would saturate within tens of steps.
    mor1e->gate_learning_rate_scale = (app.count("--gate-rate") ? o.gate_rate : train::release_gate_rate) / learning_rate;
  }
  return spec;
}

std::vector<data::task_data> load_data(const finetune_options& o, const texts::tokenizer& tokenizer, const fs::path& out, index_t steps, index_t batch) {
  if (o.data != "suite") return data::read_data_folder(o.data, o.tasks, data::splits::train);
  const auto one_token = [&](std::string_view word) { return tokenizer.encode(text(" ", word), false).size() == 1; };
  // A byte tokenizer has no one-token words: any will do there.
  const bool bytes = tokenizer.vocabulary_size() < 1000;
  const index_t families = index_t(data::suite_families().size());
  data::suite_options suite{.train_items = (steps * batch + families - 1) / families, .eval_items = 60, .train_seed = o.common.seed, .eval_seed = 2026};
  const auto tasks = data::make_suite([&](std::string_view w) { return bytes || one_token(w); }, suite);
  data::write_data_folder(out / "data", tasks);
  return data::read_data_folder(out / "data", o.tasks, data::splits::train);
}

/// The intuition of the training rows, and the recipe by which others find the same.
struct training_intuition {
  train::intuition_recipe recipe;
  tensor<float> rows;
};

/// Embeddings of the training prompts: from the run's own cache if it is of the same texts and embedder.
tensor<float> embed_prompts(models::sentence_embedder& embedder, std::span<const std::string> prompts, const cluster::embedding_origin& origin,
                            const fs::path& cache, bool quiet) {
  try {
    if (fs::exists(cache)) return cluster::read_embeddings(cache, origin);
  } catch (const error&) {  // of other texts or another embedder: made again
  }
  train::progress progress("embedding", std::int64_t(prompts.size()), quiet);
  tensor<float> embeddings = train::embed_with_prefix(embedder, prompts, origin.prefix,
                                                      [&](std::size_t done, std::size_t) { progress.show(std::int64_t(done)); });
  cluster::write_embeddings(cache, origin, embeddings);
  return embeddings;
}

/// The intuition of the examples that the run draws; those it never draws keep zeros and are not embedded.
training_intuition make_intuition(cpu& device, const finetune_options& o, const train::training_set& set, std::vector<index_t> drawn,
                                  const texts::prompt_options& wording, const fs::path& out) {
  std::sort(drawn.begin(), drawn.end());
  drawn.erase(std::unique(drawn.begin(), drawn.end()), drawn.end());
  std::vector<data::example> rows;
  for (const index_t i : drawn) rows.push_back(set.rows[std::size_t(i)]);
  training_intuition made;
  made.recipe.wording = wording;
  tensor<float> felt;
  if (o.intuition == "category") {
    made.recipe.kind = train::intuition_kind::category;
    made.recipe.categories = set.task_names;
    made.recipe.width = o.clusters;
    felt = train::intuition_rows(device, made.recipe, nullptr, rows);
  } else {
    const bool random = o.intuition == "random";
    const auto embedder = models::load_sentence_embedder(device, random ? (o.model == models::toy_name ? models::toy_name : "minilm") : o.intuition);
    const auto prompts = train::prompts_of(rows, wording);
    std::string all;
    for (const std::string& prompt : prompts) all += prompt + '\0';
    const cluster::embedding_origin origin{embedder->hash(), o.prefix, io::sha256_of(std::as_bytes(std::span(all.data(), all.size())))};
    const tensor<float> embeddings = embed_prompts(*embedder, prompts, origin, out / "embeddings.safetensors", o.common.quiet);
    auto clustering = cluster::kmeans<float>(device, embeddings.matrix(), {.clusters = o.clusters, .seed = o.common.seed});
    program::say(o.common, "intuition: {} prompts by {}, {} clusters, inertia {:.4g}{}\n", prompts.size(), embedder->id(), o.clusters,
                 clustering.inertia, random ? ", replaced by random directions" : "");
    made.recipe.source = {embedder->id(), origin, o.common.seed, cluster::similarity::cosine, std::move(clustering.centroids)};
    felt = cluster::intuition<float>(device, embeddings.matrix(), std::as_const(made.recipe.source.centroids).matrix());
    if (random) {
      made.recipe.kind = train::intuition_kind::random;
      made.recipe.seed = o.common.seed;
      felt = train::random_rows(made.recipe, rows, std::as_const(felt).matrix());
    }
  }
  made.rows = tensor<float>({index_t(set.rows.size()), felt.extents().cols()}, 0);
  for (std::size_t k = 0; k < drawn.size(); ++k) std::copy_n(felt.matrix().row(index_t(k)), felt.extents().cols(), made.rows.matrix().row(drawn[k]));
  return made;
}

/// The rows of eval.jsonl, scored as often as asked with the same intuition.
class evaluation {
 public:
  evaluation(cpu& device, models::language_model<cpu, float>& model, const texts::tokenizer& tokenizer, const finetune_options& o, const fs::path& folder,
             const std::vector<std::string>& tasks, const training_intuition* intuition)
      : scorer_(device, model, tokenizer, {.template_name = o.wording}), quiet_(o.common.quiet) {
    if (o.eval_limit == 0) return;
    for (const std::string& task : tasks) {
      const fs::path file = folder / task / "eval.jsonl";
      if (!fs::exists(file)) continue;
      auto rows = data::read_task_file(file);
      if (index_t(rows.size()) > o.eval_limit) rows.resize(std::size_t(o.eval_limit));
      for (data::example& row : rows) {
        if (!o.answer.empty()) row.style = o.answer == "letter" ? data::answer_style::letter : data::answer_style::text;
        items_.push_back(std::move(row));
      }
    }
    if (items_.empty() || !intuition) return;
    std::unique_ptr<models::sentence_embedder> embedder;
    if (intuition->recipe.embeds()) embedder = models::load_sentence_embedder(device, intuition->recipe.source.embedder);
    intuition_ = train::intuition_rows(device, intuition->recipe, embedder.get(), items_);
  }

  bool empty() const { return items_.empty(); }
  std::vector<eval::item_score> score(const char* label) { return score(label, intuition_); }
  /// With the rows of intuition dealt to other items: what falls is what the model drew from an item's own.
  std::vector<eval::item_score> score_permuted(std::uint64_t seed) { return score("scoring, permuted", train::permuted_rows(intuition_.matrix(), seed)); }

 private:
  std::vector<eval::item_score> score(const char* label, const tensor<float>& intuition) {
    train::progress progress(label, std::int64_t(items_.size()), quiet_);
    std::int64_t done = 0;
    return scorer_.score(items_, intuition.matrix(), [&](const eval::item_score&) { progress.show(++done); });
  }

  eval::scorer<cpu, float> scorer_;
  bool quiet_;
  std::vector<data::example> items_;
  tensor<float> intuition_;
};

/// Accuracy of the base and of the trained model on the same items, and of the trained one with permuted intuition.
nlohmann::json evaluate_run(evaluation& scored, peft::adapter_set<cpu, float>& adapters, bool permute, const program::common_options& common) {
  adapters.detach();
  const auto before = scored.score("scoring the base");
  adapters.attach();
  const auto after = scored.score("scoring");
  const auto was = eval::summarise(before), is = eval::summarise(after);
  nlohmann::json out = {{"before", eval::to_json(was)}, {"after", eval::to_json(is)}};
  program::say(common, "\nBefore (the base model)\n{}\nAfter\n{}", eval::table(was), eval::table(is));
  std::vector<eval::item_score> dealt;
  if (permute) dealt = scored.score_permuted(common.seed);
  for (const eval::metric by : eval::headlines(after)) {
    const auto change = eval::compare(before, after, by);
    out["change"].push_back(eval::to_json(change));
    program::say(common, "\nBefore against after, the same items\n{}", eval::table(change));
    if (!permute) continue;
    const auto permuted = eval::compare(dealt, after, by);
    out["permuted"].push_back(eval::to_json(permuted));
    program::say(common, "\nIntuition permuted over the items against each item's own, both after training\n{}", eval::table(permuted));
  }
  return out;
}

/// The largest budget of tokens, and recomputation if it must be, with which a step fits into `limit` bytes.
void fit_memory(const finetune_options& o, models::language_model<cpu, float>& model, cpu& device, const train::training_set& set,
                std::uint64_t limit, std::uint64_t base, train::program_options& program, index_t& budget) {
  index_t longest = 0;
  for (const auto& e : set.examples) longest = std::max(longest, index_t(e.ids.size()));
  const index_t smallest = (longest + 127) / 128 * 128;
  const auto bytes = [&](index_t rows) {
    // Every row may be an answer and every 16th the end of a sequence: the most a batch of this size can need.
    return base + train::step_program<cpu, float>(device, model, {rows, std::min<index_t>(rows, 512), std::max<index_t>(16, rows / 16)}, program).bytes();
  };
  for (const bool recompute : {program.recompute, true}) {
    program.recompute = recompute;
    for (index_t rows = std::max(smallest, (budget + 127) / 128 * 128); rows >= smallest; rows -= 128)
      if (bytes(rows) <= limit) {
        budget = std::min(budget, rows);
        program::say(o.common, "memory: {:.0f} MB for micro-batches of {} tokens{}\n", double(bytes(rows)) / 1e6, budget, recompute ? ", with recomputation" : "");
        return;
      }
  }
  throw value_error(text("--memory: the longest example (", longest, " tokens) needs ", bytes(smallest) / 1000000, " MB with recomputation, ",
                         limit / 1000000, " MB are allowed"));
}

/// sigmoid(100 v) of every gate of one kind.
std::vector<double> gate_values(peft::adapter_set<cpu, float>& set, std::string_view name) {
  std::vector<double> out;
  for (auto* p : set.parameters())
    if (p->name.ends_with(name))
      for (float v : p->value) out.push_back(1 / (1 + std::exp(-100.0 * double(v))));
  return out;
}

void finetune(const CLI::App& app, finetune_options o) {
  if (o.out.empty()) o.out = o.resume;
  require<value_error>(!o.out.empty(), "--out or --resume is needed");
  require<value_error>(o.resume.empty() || o.resume == o.out, "--resume ", o.resume, " and --out ", o.out, " differ; a run goes on in its own folder");
  require<value_error>(!o.model.empty() && !o.data.empty(), "--model and --data are needed");
  if (o.intuition.empty()) o.intuition = o.model == models::toy_name ? models::toy_name : "minilm";
  const fs::path out = o.out;
  const bool resuming = !o.resume.empty() && train::has_checkpoint(out);
  require<value_error>(resuming || !o.resume.empty() || !train::has_checkpoint(out), o.out, " holds a run; --resume ", o.out, " goes on with it, or give another --out");
  const train::schedule_settings schedule = schedule_of(app, o);
  peft::adapter_spec spec = spec_of(app, o, schedule.learning_rate);
  const bool intuitive = peft::uses_intuition(spec);
  if (o.clusters == 0) o.clusters = o.experts;
  require<value_error>(!intuitive || o.clusters == o.experts, "--clusters ", o.clusters, " and --experts ", o.experts, " differ: the intuition weighs each expert");
  std::optional<std::uint64_t> limit;
  if (!o.memory.empty()) limit = train::parse_bytes(o.memory);

  cpu device(o.common.threads);
  const auto from = std::make_shared<io::checkpoint>(models::open(o.model));
  const auto model = models::load<cpu, float>(device, from);
  const std::string base_hash = models::weights_hash(o.model);
  const texts::tokenizer tokenizer = models::open_tokenizer(o.model);
  fs::create_directories(out);

  const auto tasks = load_data(o, tokenizer, out, schedule.steps, schedule.batch);
  texts::prompt_options wording{o.wording, {}};
  require<value_error>(o.answer.empty() || o.answer == "letter" || o.answer == "text", "--answer ", o.answer, " is neither letter nor text");
  if (!o.answer.empty()) wording.style = o.answer == "letter" ? data::answer_style::letter : data::answer_style::text;
  const train::training_set set = train::encode(tasks, tokenizer, wording, std::min<index_t>(o.max_length, model->context()), o.truncate, o.train_limit);
  const index_t steps = train::total_steps(schedule, index_t(set.examples.size()));
  const std::string order = !o.order.empty() ? o.order : o.data == "suite" ? "round-robin" : "shuffled";

  training_intuition intuition;
  data::sampler sampler(set.task_sizes, data::sampling_order_named(order), o.common.seed);
  if (intuitive) intuition = make_intuition(device, o, set, data::sampler(sampler).take(steps * schedule.batch), wording, out);
  auto adapters = peft::attach(*model, spec);

  train::trainer_options options;
  options.adam.learning_rate = schedule.learning_rate;
  options.adam.weight_decay = schedule.weight_decay;
  options.clip = schedule.clip;
  options.program = {.recompute = o.recompute, .statistics = spec.method.index() != 0, .clusters = intuitive ? o.clusters : 0};
  if (limit) {
    const std::uint64_t base = train::peak_memory() + std::uint64_t(adapters.parameter_count()) * 2 * sizeof(float);
    fit_memory(o, *model, device, set, *limit, base, options.program, o.micro_batch);
  }
  train::trainer<cpu, float> trainer(device, *model, adapters.parameters(), options);
  const data::packing_options packing{.tokens = o.micro_batch, .context = std::max(o.micro_batch, std::min<index_t>(o.max_length, model->context()))};

  train::run_state state;
  state.settings = {{"model", base_hash},       {"data", set.hash},      {"method", peft::to_json(spec)}, {"steps", steps},
                    {"batch", schedule.batch},     {"lr", schedule.learning_rate}, {"warmup", schedule.warmup},   {"clip", schedule.clip},
                    {"weight_decay", schedule.weight_decay}, {"seed", o.common.seed}, {"order", order}, {"intuition", intuitive ? train::to_json(intuition.recipe) : nlohmann::json()},
                    {"advice", {{"threads", device.threads().size()}, {"micro_batch", o.micro_batch}, {"recompute", options.program.recompute}, {"gemm", "eigen"}}}};
  if (resuming) {
    const auto advice = train::check_settings(train::read_run_state(out).settings, state.settings, out.string());
    for (const std::string& a : advice) fmt::print(stderr, "finetune: resumed with another setup, so not bit for bit: {}\n", a);
    const train::run_state saved = train::load_checkpoint(out, trainer);
    state.step = saved.step, state.sampler_position = saved.sampler_position, state.log_bytes = saved.log_bytes;
    sampler.seek(state.sampler_position);
    program::say(o.common, "resumed at step {} of {}\n", state.step, steps);
  }
  train::json_log log(o.common.log.empty() ? out / "log.jsonl" : fs::path(o.common.log), state.log_bytes);
  program::say(o.common, "{} on {}: {} trainable parameters, {} examples of {} tasks, {} steps of {}\n", o.method, o.model, adapters.parameter_count(),
               set.examples.size(), tasks.size(), steps, schedule.batch);

  const fs::path data_folder = o.data == "suite" ? out / "data" : fs::path(o.data);
  evaluation scored(device, *model, tokenizer, o, data_folder, set.task_names, intuitive ? &intuition : nullptr);

  train::progress progress("training", steps, o.common.quiet);
  bool warned = false;
  double first_loss = 0, loss = 0, trained_tokens = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds_since = [](auto from_time) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - from_time).count(); };
  for (index_t step = state.step; step < steps; ++step) {
    const auto started = std::chrono::steady_clock::now();
    const auto batches = data::pack(set.examples, sampler.take(schedule.batch), packing);
    const double factor = optim::cosine_with_warmup(step, schedule.warmup, steps);
    const train::step_report report = trainer.step(batches, std::as_const(intuition.rows).matrix(), factor);
    const double seconds = seconds_since(started);
    loss = report.loss, trained_tokens += double(report.tokens);
    if (step == state.step) first_loss = loss;

    nlohmann::json line = {{"step", step + 1}, {"loss", report.loss}, {"lr", schedule.learning_rate * factor}, {"gradient_norm", report.gradient_norm},
                           {"targets", report.targets}, {"tokens", report.tokens}, {"tokens_per_second", double(report.tokens) / seconds},
                           {"peak_memory", train::peak_memory()}};
    if (!report.routers.empty()) line["routers"] = train::summarise_routers(report.routers);
    if (const auto gates = gate_values(adapters, ".gate_a"); !gates.empty()) {
      line["gate_a"] = train::quantiles(gates), line["gate_b"] = train::quantiles(gate_values(adapters, ".gate_b"));
      const auto saturated = std::count_if(gates.begin(), gates.end(), [](double g) { return g < 0.02 || g > 0.98; });
      if (saturated && !std::exchange(warned, true))
        fmt::print(stderr, "finetune: step {}: {} of {} gates sigmoid(100 a) are beyond 0.02 or 0.98 and hardly learn any more\n", step + 1, saturated, gates.size());
    }
    if (o.eval_every && (step + 1) % o.eval_every == 0 && !scored.empty()) line["evaluation"] = eval::to_json(eval::summarise(scored.score("scoring")));
    log.write(line);
    progress.show(step + 1, fmt::format("loss {:.4f}  {:.0f} tokens/s", loss, double(report.tokens) / seconds));
    if ((step + 1) % o.checkpoint_every == 0 || step + 1 == steps) {
      state.step = step + 1, state.sampler_position = sampler.position(), state.log_bytes = log.size();
      train::save_checkpoint(out, trainer, state);
    }
  }
  progress.finish();
  const double seconds = seconds_since(begin);

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
  program::say(o.common, "loss {:.4f} -> {:.4f} in {:.0f} s ({:.0f} tokens/s, peak memory {:.2f} GB); adapter in {}\n", first_loss, loss, seconds,
               trained_tokens / std::max(seconds, 1e-9), double(train::peak_memory()) / 1e9, (out / "adapter").string());
  nlohmann::json result = {{"method", o.method}, {"steps", steps}, {"first_loss", first_loss}, {"last_loss", loss}, {"seconds", seconds},
                                 {"tokens", trained_tokens}, {"parameters", adapters.parameter_count()}, {"peak_memory", train::peak_memory()}};
  if (!scored.empty()) result["evaluation"] = evaluate_run(scored, adapters, intuitive && intuition.recipe.kind == train::intuition_kind::clusters, o.common);
  io::write_json(out / "result.json", result);
  program::write_results(o.common, result);
}

}  // namespace

int main(int argc, char** argv) {
  finetune_options options;
  const CLI::App* parsed = nullptr;
  return program::run(argc, argv, "finetune", "Fine-tunes a frozen language model with low-rank adapters", options.common,
      [&](CLI::App& app) { parsed = &app, add_options(app, options); },
      [&] { finetune(*parsed, options); });
}
