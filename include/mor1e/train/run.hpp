// One training from a frozen model to a scored adapter, in a folder of its own: what `finetune` does once and `compare`
// for every method.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/data/packing.hpp"
#include "mor1e/data/sampling.hpp"
#include "mor1e/data/share.hpp"
#include "mor1e/distributed/parameters.hpp"
#include "mor1e/io/json.hpp"
#include "mor1e/optim/schedule.hpp"
#include "mor1e/peft/adapter_file.hpp"
#include "mor1e/peft/matching.hpp"
#include "mor1e/train/checkpoint.hpp"
#include "mor1e/train/memory_limit.hpp"
#include "mor1e/train/run/experiment.hpp"
#include "mor1e/train/run/intuition.hpp"
#include "mor1e/train/run/observer.hpp"
#include "mor1e/train/run/resume.hpp"
#include "mor1e/train/run/settings.hpp"
#include "mor1e/train/run/stopped.hpp"
#include "mor1e/train/run_folder.hpp"
#include "mor1e/train/telemetry.hpp"
#include "mor1e/train/trainer.hpp"
#include "mor1e/train/update_scale.hpp"

namespace mor1e::train {

/// The stages, in their order: what they read is what the constructor has checked.
///
///     experiment<cpu> e(device, data, schedule, seed, false);
///     run<cpu> r(e, {.label = "lora", .spec = spec, .schedule = schedule, .how = how, .out = "out"});
///     nlohmann::json result = r.run_all();
///
/// OUT then holds adapter/ (a PEFT folder), checkpoint/ and checkpoint.previous/, options.json, log.jsonl, result.json,
/// and data/ where the rows were generated. Of processes that train together each makes a run of its own; the first of
/// them embeds, clusters and writes.
template <class B>
class run {
 public:
  /// Finds everything that can be wrong before anything is written, and puts the adapters on the model.
  run(experiment<B>& e, run_request r, run_observer* observer = nullptr)
      : e_(e),
        r_(std::move(r)),
        items_(r_.on_dev ? e.dev : e.scored),
        observer_(observer ? *observer : nobody_),
        needs_(r_.spec.method.needs()),
        steps_(total_steps(r_.schedule, index_t(e.set.examples.size()))),
        sampler_(e.set.task_sizes, data::sampling_order_named(r_.how.order), r_.seed),
        packing_{.tokens = micro_batch()},
        adapters_(peft::attach(*e.model, r_.spec)) {
    require<value_error>(!needs_.types || !e.set.type_1.empty(),
                         "--type-balance tells types of task apart; --task-types says which tasks are of type 1");
    intuition_ = describe_intuition(e, items_, needs_.clusters, r_.how, r_.seed);
    options_.adam.learning_rate = r_.schedule.learning_rate;
    options_.adam.weight_decay = r_.schedule.weight_decay;
    options_.clip = r_.schedule.clip;
    require<value_error>(HasReplay<B> || !r_.how.device_graph, "--cuda-graph: is of --backend cuda");
    options_.program = {.recompute = r_.how.recompute,
                        .device_graph = r_.how.device_graph,
                        .statistics = r_.spec.method.description().has_experts,
                        .dropout = needs_.draws,
                        .seed = r_.seed,
                        .clusters = needs_.clusters,
                        .types = needs_.types};
    if (!r_.how.memory.empty()) fit_memory(parse_bytes(r_.how.memory));
    packing_.context = packing_.tokens;
    settings_ = make_settings();
    require<value_error>(r_.schedule.batch >= e_.processes.size(), "--batch ", r_.schedule.batch, " for ",
                         e_.processes.size(), " processes: each takes at least an example of every step");
    options_.processes = &e_.processes;
    require_same_run();
    if (leads()) require_outputs_inside(r_);
    if (r_.saved) check_saved(r_, settings_, steps_, observer_);
  }

  index_t steps() const { return steps_; }
  /// Whether the folder holds the whole run already.
  bool finished() const {
    return r_.saved && r_.saved->step == steps_ && std::filesystem::exists(r_.out / "result.json");
  }
  /// What a resumed run must agree in.
  const nlohmann::json& settings() const { return settings_; }
  peft::adapter_set<B, float>& adapters() { return adapters_; }
  /// The scores, after `score`; empty without items.
  const evaluated& scores() const { return scores_; }
  /// Bytes of the slab that the steps of this process ran in; 0 if it ran none.
  std::size_t step_memory() const { return step_memory_; }

  /// All stages. Returns what result.json holds.
  nlohmann::json run_all() {
    distributed::wait_for_all(e_.processes);  // who comes last has still read what the first is about to write
    std::optional<run_folder> folder;
    if (leads()) {
      folder.emplace(r_.out);
      if (r_.keep_data) keep_rows(e_.rows.made, r_.out / "data");
      io::write_json(r_.out / options_file, r_.options);
    }
    embed();
    if (r_.measure_scale || r_.match_scale) match_scale();
    train(folder ? &*folder : nullptr);
    if (folder) folder->require_in_place();
    save();
    observer_.trained(state_.totals, r_.out / "adapter");
    if (!items_.empty()) score();
    nlohmann::json out = result();
    if (folder) {
      folder->require_in_place();
      io::write_json(r_.out / "result.json", out);
    }
    return out;
  }

  /// Embeds and clusters the prompts of the training, and gives each row of training and evaluation its intuition.
  void embed() {
    if (!reads_intuition()) return;
    const double inertia =
        leads() ? intuition_.compute(e_.device, e_.set.rows, r_.embeddings, !observer_.shows_progress()) : 0;
    intuition_.broadcast(e_.processes);
    if (intuition_.embedder) observer_.clustered(intuition_, inertia);
    items_.set_intuition(e_.device, intuition_.recipe, intuition_.embedder.get());
    intuition_.embedder.reset();
  }

  /// Measures the scale of the update over some of the training's examples, packed in a way of its own, and gives it
  /// the one asked for.
  void match_scale() {
    constexpr index_t most = 64;
    const index_t all = index_t(e_.set.examples.size()), count = std::min(all, most);
    std::vector<index_t> some;
    for (index_t i = 0; i < count; ++i) some.push_back(i * all / count);
    const index_t tokens = std::max<index_t>(2048, index_t(e_.longest().ids.size()));
    own_scale_ = update_scale<B, float>(e_.device, *e_.model,
                                        data::pack(e_.set.examples, some, {.tokens = tokens, .context = tokens}),
                                        std::as_const(intuition_.rows).matrix());
    distributed::broadcast(e_.processes, std::span(&*own_scale_, 1));
    if (!r_.match_scale) return;
    observer_.scaled(*own_scale_, *r_.match_scale);
    r_.spec = peft::scaled(r_.spec, *r_.match_scale / *own_scale_);
    adapters_ = {};  // off the model before others take their place
    adapters_ = peft::attach(*e_.model, r_.spec);
  }

  /// The steps, from the checkpoint on if there is one. Throws `stopped` behind a checkpoint if the observer says so.
  /// `folder` of the process that writes; null of the others.
  void train(const run_folder* folder) {
    require<value_error>(leads() == (folder != nullptr), "train: the first process writes, the others do not");
    trainer<B, float> trainer(e_.device, *e_.model, adapters_, options_);
    if (r_.saved) {
      state_ = load_checkpoint(r_.out, trainer);
      if (!state_.passed_over.empty())
        observer_.warning(text("going on from the checkpoint before, of step ", state_.step, ": ", state_.passed_over));
      sampler_.seek(state_.sampler_position);
      observer_.resumed(state_.step, steps_);
    }
    distributed::require_same(e_.processes, trainer.parameters());
    observer_.begun({.label = r_.label,
                     .model = e_.settings.model,
                     .parameters = adapters_.parameter_count(),
                     .examples = index_t(e_.set.examples.size()),
                     .tasks = index_t(e_.rows.tasks.size()),
                     .steps = steps_,
                     .batch = r_.schedule.batch});
    state_.settings = settings_;
    std::optional<json_log> log;
    if (folder) log.emplace(r_.log.empty() ? r_.out / "log.jsonl" : r_.log, state_.log_bytes);
    progress shown("training", steps_, !observer_.shows_progress());
    for (index_t step = state_.step; step < steps_; ++step) {
      const auto started = std::chrono::steady_clock::now();
      const auto mine =
          data::share(e_.set.examples, sampler_.take(r_.schedule.batch), e_.processes.index(), e_.processes.size());
      const auto batches = data::pack(e_.set.examples, mine, packing_);
      const double factor = optim::cosine_with_warmup(step, r_.schedule.warmup, steps_);
      const step_report report = trainer.step(batches, std::as_const(intuition_.rows).matrix(), factor);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
      run_totals& totals = state_.totals;
      if (step == 0) totals.first_loss = report.loss;
      totals.last_loss = report.loss, totals.tokens += report.tokens, totals.seconds += seconds;

      nlohmann::json line = log_line(report, step + 1, r_.schedule.learning_rate * factor, seconds);
      warn_of_saturation(step + 1, report.gates);
      if (r_.how.eval_every && (step + 1) % r_.how.eval_every == 0 && !items_.empty())
        line["evaluation"] = eval::to_json(eval::summarise(items_.score("scoring")));
      if (folder) {
        folder->require_in_place();
        log->write(line);
      }
      char note[64];
      std::snprintf(note, sizeof note, "loss %.4f  %.0f tokens/s", report.loss, double(report.tokens) / seconds);
      shown.show(step + 1, note);
      int stop = observer_.stop();
      distributed::broadcast(e_.processes, std::span(&stop, 1));
      if ((step + 1) % r_.how.checkpoint_every == 0 || step + 1 == steps_ || stop) {
        distributed::require_same(e_.processes, trainer.parameters());
        state_.step = step + 1, state_.sampler_position = sampler_.position();
        if (folder) {
          state_.log_bytes = log->size();
          save_checkpoint(r_.out, trainer, state_);
        }
      }
      if (stop)
        throw stopped(stop, text("stopped behind step ", step + 1, " of ", steps_, "; ", r_.goes_on, " goes on"));
    }
    shown.finish();
    step_memory_ = trainer.programs().bytes();
  }

  /// OUT/adapter, with all that an evaluation needs to know.
  void save() {
    if (!leads()) return;
    peft::adapter_record record;
    record.spec = r_.spec;
    record.base_model = e_.settings.model;
    record.base_sha256 = e_.base_hash;
    if (reads_intuition()) {
      record.intuition = to_json(intuition_.recipe);
      record.centroids = intuition_.recipe.source.centroids.clone();
    }
    record.extras = {{"template", e_.settings.wording},
                     {"answer", e_.settings.answer},
                     {"tasks", e_.set.task_names},
                     {"steps", steps_}};
    if (needs_.types) record.extras["task_types"] = e_.set.type_1;
    peft::save_adapter(r_.out / "adapter", adapters_, record);
  }

  void score() {
    scores_.before = items_.score_base(adapters_);
    scores_.after = items_.score("scoring");
    if (r_.score_permuted && reads_intuition() && intuition_.recipe.kind == intuition_kind::clusters)
      scores_.permuted = items_.score_permuted(r_.seed);
    observer_.scored(scores_);
  }

 private:
  bool leads() const { return e_.processes.leads(); }
  bool reads_intuition() const { return needs_.clusters > 0; }

  /// How many tokens a micro-batch has: what was given, or enough. Throws `value_error` for less than an example has.
  index_t micro_batch() const {
    const index_t length = index_t(e_.longest().ids.size()), given = r_.how.micro_batch;
    require<value_error>(given == 0 || given >= length, "--micro-batch ", given, " is too small for ", e_.longest().id,
                         " of ", length, " tokens");
    return given ? given : std::max<index_t>(2048, length);
  }

  /// Fits a step into `limit` bytes; what fitted once is kept, so that a resumed run is the same.
  void fit_memory(std::uint64_t limit) {
    if (r_.saved) {
      const nlohmann::json advice = r_.saved->settings.value("advice", nlohmann::json::object());
      packing_.tokens = std::min(packing_.tokens, std::max<index_t>(1, advice.value("micro_batch", packing_.tokens)));
      options_.program.recompute |= advice.value("recompute", false);
    }
    take_memory_of_products();
    // Gradients, two moments, what other processes are sent and send, and what code and buffers the training is the
    // first to touch: oneDNN compiles a kernel for each shape it meets.
    const std::uint64_t arrays = e_.processes.size() > 1 ? 5 : 3;
    const std::uint64_t base =
        peak_memory() + std::uint64_t(adapters_.parameter_count()) * arrays * sizeof(float) + (4u << 20);
    const memory_plan plan = fit_into(e_.device, *e_.model, e_.set.examples, r_.schedule.batch, packing_.tokens,
                                      options_.program, base, limit);
    // What fits into all of them.
    packing_.tokens = plan.tokens, options_.program.recompute = plan.recompute;
    const index_t mine[] = {plan.tokens, plan.recompute};
    const std::vector<index_t> all = distributed::gathered(e_.processes, std::span(mine));
    for (std::size_t i = 0; i < all.size(); i += 2)
      packing_.tokens = std::min(packing_.tokens, all[i]), options_.program.recompute |= all[i + 1] != 0;
    observer_.fitted({packing_.tokens, options_.program.recompute, plan.bytes});
  }

  /// Throws in a process that was asked for another run than process 0: they would wait for each other in vain, or
  /// train on what nobody asked for.
  void require_same_run() const {
    if (e_.processes.size() == 1) return;
    nlohmann::json mine = settings_;
    mine["items"] = items_.empty() ? "" : items_.hash();
    mine["eval_every"] = r_.how.eval_every, mine["checkpoint_every"] = r_.how.checkpoint_every;
    mine["match_scale"] = r_.match_scale.has_value(), mine["measure_scale"] = r_.measure_scale;
    mine["permuted"] = r_.score_permuted, mine["statistics"] = options_.program.statistics;
    mine["saved"] = r_.saved ? r_.saved->step : -1;
    std::string first = mine.dump();
    distributed::broadcast(e_.processes, first);
    const nlohmann::json fields = nlohmann::json::parse(first).flatten();
    for (const auto& [field, value] : fields.items())
      if (const nlohmann::json::json_pointer at(field); !mine.contains(at) || mine[at] != value)
        throw value_error(text("process ", e_.processes.index(), " of ", e_.processes.size(), " has ", field.substr(1),
                               " ", mine.contains(at) ? mine[at].dump() : "missing", ", process 0 has ", value.dump()));
  }

  /// Whoever multiplies takes some at its first products of each form.
  void take_memory_of_products() {
    using backend::transpose;
    array<B, float> zeros(e_.device, {128, 128}, 0.f), product(e_.device, {128, 128});
    const view_of<B, const float> x = zeros.matrix();
    for (const auto& [a, b] : {std::pair(transpose::no, transpose::yes), std::pair(transpose::no, transpose::no),
                               std::pair(transpose::yes, transpose::no)})
      gemm(e_.device, a, b, 1.f, x, x, 0.f, product.matrix());
  }

  nlohmann::json make_settings() const {
    const backend::arithmetic arithmetic = e_.device.arithmetic();
    nlohmann::json out = {{"model", e_.base_hash},
                          {"data", e_.set.hash},
                          {"template", e_.settings.wording},
                          {"answer", e_.settings.answer},
                          {"method", peft::to_json(r_.spec)},
                          {"steps", steps_},
                          {"batch", r_.schedule.batch},
                          {"lr", r_.schedule.learning_rate},
                          {"warmup", r_.schedule.warmup},
                          {"clip", r_.schedule.clip},
                          {"weight_decay", r_.schedule.weight_decay},
                          {"seed", r_.seed},
                          {"order", r_.how.order},
                          {"intuition", reads_intuition() ? intuition_.settings() : nlohmann::json()},
                          {"advice",
                           {{"threads", arithmetic.threads},
                            {"micro_batch", packing_.tokens},
                            {"recompute", options_.program.recompute},
                            {"gemm", arithmetic.products}}}};
    if (e_.processes.size() > 1) out["advice"]["processes"] = e_.processes.size();
    if (data::is_suite(e_.settings.data)) out["suite_examples"] = e_.made_for;
    if (r_.match_scale) out["match_scale"] = *r_.match_scale;
    if (needs_.types) out["task_types"] = e_.set.type_1;
    return out;
  }

  nlohmann::json result() {
    const run_totals& totals = state_.totals;
    nlohmann::json out = {{"method", r_.label},
                          {"steps", steps_},
                          {"first_loss", totals.first_loss},
                          {"last_loss", totals.last_loss},
                          {"seconds", totals.seconds},
                          {"tokens", totals.tokens},
                          {"parameters", adapters_.parameter_count()},
                          {"peak_memory", peak_memory()}};
    if (own_scale_) out["scale"] = {{"own", *own_scale_}, {"run", r_.match_scale.value_or(*own_scale_)}};
    if (!items_.empty()) out["evaluation"] = to_json(scores_);
    return out;
  }

  void warn_of_saturation(index_t step, std::span<const gate_report> gates) {
    std::size_t saturated = 0, all = 0;
    for (const auto& of : gates)
      for (const double g : of.values) ++all, saturated += g < 0.02 || g > 0.98;
    if (saturated && !std::exchange(warned_, true))
      observer_.warning(text("step ", step, ": ", saturated, " of ", all,
                             " gates are beyond 0.02 or 0.98 and hardly learn any more"));
  }

  experiment<B>& e_;
  run_request r_;
  evaluation<B>& items_;
  run_observer nobody_;
  run_observer& observer_;
  peft::method_needs needs_;
  index_t steps_;
  data::sampler sampler_;
  data::packing_options packing_;
  peft::adapter_set<B, float> adapters_;
  training_intuition intuition_;
  trainer_options options_;
  run_state state_;
  nlohmann::json settings_;
  std::optional<double> own_scale_;
  evaluated scores_;
  std::size_t step_memory_ = 0;
  bool warned_ = false;
};

}  // namespace mor1e::train
