// One training from a frozen model to a scored adapter, in a folder of its own: what `finetune` does once and `compare`
// for every method.
#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "experiment.hpp"
#include "log_line.hpp"
#include "mor1e/data/sampling.hpp"
#include "mor1e/mor1e.hpp"
#include "mor1e/optim/schedule.hpp"
#include "mor1e/train/checkpoint.hpp"
#include "mor1e/train/memory_limit.hpp"
#include "mor1e/train/run_folder.hpp"
#include "mor1e/train/settings.hpp"
#include "mor1e/train/telemetry.hpp"
#include "mor1e/train/training_intuition.hpp"
#include "mor1e/train/update_scale.hpp"
#include "run_evaluation.hpp"
#include "stored_options.hpp"

namespace mor1e::program {

/// What one run is.
struct run_request {
  std::string label;  ///< of the method, for people
  peft::adapter_spec spec;
  bool measure_scale = false;              ///< of the update at the start
  std::optional<double> match_scale = {};  ///< what it is to be; the method's own unless given
  train::schedule_settings schedule;
  run_options how;
  std::filesystem::path out;
  std::filesystem::path embeddings;  ///< where embeddings of the prompts are kept
  bool keep_data = true;
  bool routers = false;                               ///< report what the experts do with the items, after the training
  nlohmann::json options = nlohmann::json::object();  ///< kept in the folder
  std::string goes_on = "the same command";           ///< what resumes it
  std::optional<train::run_state> saved = {};         ///< what to go on from
};

/// What a run in this folder goes on from.
inline std::optional<train::run_state> saved_state(const std::filesystem::path& out) {
  return train::has_checkpoint(out) ? std::optional(train::read_run_state(out)) : std::nullopt;
}

class training_run {
 public:
  /// Finds everything that can be wrong before anything is written, and puts the adapters on the model.
  training_run(experiment& e, run_request r, const common_options& common)
      : e_(e),
        r_(std::move(r)),
        common_(common),
        saved_(r_.saved),
        needs_(r_.spec.method.needs()),
        steps_(train::total_steps(r_.schedule, index_t(e.set.examples.size()))),
        sampler_(e.set.task_sizes, data::sampling_order_named(r_.how.order), common.seed),
        packing_{.tokens = micro_batch()},
        adapters_(peft::attach(*e.model, r_.spec)) {
    if (r_.routers) {
      require_routers(r_.spec, "--method " + r_.label);
      require<value_error>(!e.scored.empty(), "--routers: there are no items to route");
    }
    require<value_error>(!needs_.types || !e.set.type_1.empty(),
                         "--type-balance tells types of task apart; --task-types says which tasks are of type 1");
    if (reads_intuition()) describe_intuition();
    options_.adam.learning_rate = r_.schedule.learning_rate;
    options_.adam.weight_decay = r_.schedule.weight_decay;
    options_.clip = r_.schedule.clip;
    options_.program = {.recompute = r_.how.recompute,
                        .statistics = r_.spec.method.description().has_experts,
                        .dropout = needs_.draws,
                        .seed = common_.seed,
                        .clusters = needs_.clusters,
                        .types = needs_.types};
    if (!r_.how.memory.empty()) fit_memory(train::parse_bytes(r_.how.memory));
    packing_.context = packing_.tokens;
    settings_ = make_settings();
    require_outputs_inside();
    if (saved_) check_saved();
  }

  index_t steps() const { return steps_; }
  /// Whether the folder holds the whole run already.
  bool finished() const { return saved_ && saved_->step == steps_ && std::filesystem::exists(r_.out / "result.json"); }
  /// The scores, after `run`; empty without items.
  const evaluated& scores() const { return scores_; }

  /// Bytes of the slab that the steps of this process ran in; 0 if it ran none.
  std::size_t step_memory() const { return step_memory_; }

  /// What a resumed run must agree in.
  const nlohmann::json& settings() const { return settings_; }

  /// Trains, from the checkpoint on if there is one; saves the adapter, scores it. Returns what result.json holds.
  nlohmann::json run() {
    const train::run_folder folder(r_.out);
    if (r_.keep_data) keep_data(e_.rows.made, r_.out / "data");
    io::write_json(r_.out / options_file, r_.options);
    if (reads_intuition()) make_intuition();
    if (r_.measure_scale || r_.match_scale) settle_scale();
    train::trainer<cpu, float> trainer(e_.device, *e_.model, adapters_.parameters(), options_);
    if (saved_) {
      state_ = train::load_checkpoint(r_.out, trainer);
      if (!state_.passed_over.empty())
        warn(common_, "going on from the checkpoint before, of step {}: {}", state_.step, state_.passed_over);
      sampler_.seek(state_.sampler_position);
      say(common_, "resumed at step {} of {}\n", state_.step, steps_);
    }
    say(common_, "{} on {}: {} trainable parameters, {} examples of {} tasks, {} steps of {}\n", r_.label,
        e_.options.model, adapters_.parameter_count(), e_.set.examples.size(), e_.rows.tasks.size(), steps_,
        r_.schedule.batch);
    state_.settings = settings_;
    train_steps(trainer, folder);
    step_memory_ = trainer.programs().bytes();
    folder.require_in_place();
    save_adapter();
    const train::run_totals& totals = state_.totals;
    say(common_, "loss {:.4f} -> {:.4f} in {:.0f} s ({:.0f} tokens/s, peak memory {:.2f} GB); adapter in {}\n",
        totals.first_loss, totals.last_loss, totals.seconds, double(totals.tokens) / std::max(totals.seconds, 1e-9),
        double(train::peak_memory()) / 1e9, (r_.out / "adapter").string());
    nlohmann::json result = {{"method", r_.label},
                             {"steps", steps_},
                             {"first_loss", totals.first_loss},
                             {"last_loss", totals.last_loss},
                             {"seconds", totals.seconds},
                             {"tokens", totals.tokens},
                             {"parameters", adapters_.parameter_count()},
                             {"peak_memory", train::peak_memory()}};
    if (own_scale_) result["scale"] = {{"own", *own_scale_}, {"run", r_.match_scale.value_or(*own_scale_)}};
    if (!e_.scored.empty()) {
      score();
      result["evaluation"] = to_json(scores_);
      say(common_, "{}", table(scores_));
    }
    folder.require_in_place();
    io::write_json(r_.out / "result.json", result);
    if (r_.routers) write_routers(r_.out / "routers", e_.scored.routers(adapters_), common_);
    return result;
  }

 private:
  bool reads_intuition() const { return needs_.clusters > 0; }

  /// What lies in the folder must not be in the way in the end.
  void require_outputs_inside() const {
    io::require_writable_folder(r_.out);
    std::error_code none;
    if (!std::filesystem::exists(r_.out, none)) return;
    for (const char* folder : {"checkpoint", "checkpoint.previous", "adapter"})
      io::require_writable_folder(r_.out / folder, true);
    const bool ours = saved_ || std::filesystem::exists(r_.out / options_file, none);
    for (const char* file : {options_file, "log.jsonl", "result.json", "embeddings.safetensors"}) {
      require<value_error>(ours || !std::filesystem::exists(r_.out / file, none), (r_.out / file).string(),
                           ": is of no run in this folder and would be replaced; give another --out");
      io::require_writable_file(r_.out / file);
    }
  }

  /// The saved run must be this one, as far as it got; only its end may come later.
  void check_saved() {
    nlohmann::json was = saved_->settings;
    const auto end = was.contains("steps") && was["steps"].is_number_integer() ? was["steps"].get<index_t>() : steps_;
    if (end < steps_) was["steps"] = steps_;
    const std::string advice = train::check_settings(was, settings_, r_.out.string());
    require<io_error>(
        saved_->step <= std::min(end, steps_) && saved_->sampler_position == saved_->step * r_.schedule.batch,
        (saved_->read_from / "state.json").string(), ": step ", saved_->step, " of ", end, " and example ",
        saved_->sampler_position, " at ", r_.schedule.batch, " a step do not fit");
    if (!advice.empty()) warn(common_, "{}: the resumed run is not bit for bit the same", advice);
    if (end == steps_) return;
    const auto rate = [&](index_t steps) {
      return r_.schedule.learning_rate * optim::cosine_with_warmup(saved_->step, r_.schedule.warmup, steps);
    };
    warn(common_,
         "{} was to end at step {}, now at {}: from step {} on the learning rate is that of a run of {} steps ({:.3g} "
         "where {:.3g} was), so the result is neither run's",
         r_.out.string(), end, steps_, saved_->step + 1, steps_, rate(steps_), rate(end));
  }

  const data::encoded_example& longest() const {
    return *std::max_element(e_.set.examples.begin(), e_.set.examples.end(),
                             [](const auto& a, const auto& b) { return a.ids.size() < b.ids.size(); });
  }
  /// How many tokens a micro-batch has: what was given, or enough. Throws `value_error` for less than an example has.
  index_t micro_batch() const {
    const index_t length = index_t(longest().ids.size()), given = r_.how.micro_batch;
    require<value_error>(given == 0 || given >= length, "--micro-batch ", given, " is too small for ", longest().id,
                         " of ", length, " tokens");
    return given ? given : std::max<index_t>(2048, length);
  }

  /// The intuition of the training, with all that needs no work yet.
  void describe_intuition() {
    const index_t clusters = needs_.clusters;
    const texts::prompt_options wording = e_.options.prompt();
    const std::string& kind = r_.how.control.empty() ? r_.how.intuition : r_.how.control;
    if (kind == "category") {
      intuition_ = train::category_intuition(e_.set.task_names, clusters, wording);
      return;
    }
    const bool random = kind == "random";
    const std::string embedder = r_.how.intuition != "random" ? r_.how.intuition : default_embedder(e_.options);
    intuition_ =
        train::embedded_intuition(models::load_sentence_embedder(e_.device, embedder), e_.set.rows,
                                  {.kind = random ? train::intuition_kind::random : train::intuition_kind::clusters,
                                   .clusters = clusters,
                                   .sample = r_.how.cluster_sample,
                                   .similarity = cluster::similarity_named(r_.how.similarity),
                                   .wording = wording,
                                   .prefix = r_.how.prefix,
                                   .seed = common_.seed});
    e_.scored.check(intuition_.recipe, *intuition_.embedder);
  }

  /// Fits a step into `limit` bytes; what fitted once is kept, so that a resumed run is the same.
  void fit_memory(std::uint64_t limit) {
    if (saved_) {
      const nlohmann::json advice = saved_->settings.value("advice", nlohmann::json::object());
      packing_.tokens = std::min(packing_.tokens, std::max<index_t>(1, advice.value("micro_batch", packing_.tokens)));
      options_.program.recompute |= advice.value("recompute", false);
    }
    // Gradients, two moments, and what code and buffers the training is the first to touch.
    const std::uint64_t base =
        train::peak_memory() + std::uint64_t(adapters_.parameter_count()) * 3 * sizeof(float) + (2u << 20);
    const auto plan = train::fit_into(e_.device, *e_.model, e_.set.examples, r_.schedule.batch, packing_.tokens,
                                      options_.program, base, limit);
    packing_.tokens = plan.tokens, options_.program.recompute = plan.recompute;
    say(common_, "memory: {:.0f} MB for micro-batches of {} tokens{}\n", double(plan.bytes) / 1e6, plan.tokens,
        plan.recompute ? ", with recomputation" : "");
  }

  nlohmann::json make_settings() const {
    nlohmann::json out = {{"model", e_.base_hash},
                          {"data", e_.set.hash},
                          {"template", e_.options.wording},
                          {"answer", e_.options.answer},
                          {"method", peft::to_json(r_.spec)},
                          {"steps", steps_},
                          {"batch", r_.schedule.batch},
                          {"lr", r_.schedule.learning_rate},
                          {"warmup", r_.schedule.warmup},
                          {"clip", r_.schedule.clip},
                          {"weight_decay", r_.schedule.weight_decay},
                          {"seed", common_.seed},
                          {"order", r_.how.order},
                          {"intuition", reads_intuition() ? intuition_.settings() : nlohmann::json()},
                          {"advice",
                           {{"threads", e_.device.threads().size()},
                            {"micro_batch", packing_.tokens},
                            {"recompute", options_.program.recompute},
                            {"gemm", "eigen"}}}};
    if (e_.options.data == "suite") out["suite_examples"] = e_.made_for;
    if (r_.match_scale) out["match_scale"] = *r_.match_scale;
    if (needs_.types) out["task_types"] = e_.set.type_1;
    return out;
  }

  void make_intuition() {
    const double inertia = intuition_.compute(e_.device, e_.set.rows, r_.embeddings, common_.quiet);
    if (intuition_.embedder)
      say(common_, "intuition: {} prompts by {}, {} clusters, inertia {:.4g}{}\n", intuition_.prompts.size(),
          intuition_.embedder->id(), needs_.clusters, inertia,
          intuition_.recipe.kind == train::intuition_kind::random ? ", replaced by random directions" : "");
    e_.scored.set_intuition(e_.device, intuition_.recipe, intuition_.embedder.get());
    intuition_.embedder.reset();
  }

  /// Measures the scale of the update over some of the training's examples, packed in a way of its own, and gives it
  /// the one asked for.
  void settle_scale() {
    constexpr index_t most = 64;
    const index_t all = index_t(e_.set.examples.size()), count = std::min(all, most);
    std::vector<index_t> some;
    for (index_t i = 0; i < count; ++i) some.push_back(i * all / count);
    const index_t tokens = std::max<index_t>(2048, index_t(longest().ids.size()));
    own_scale_ = train::update_scale<cpu, float>(
        e_.device, *e_.model, data::pack(e_.set.examples, some, {.tokens = tokens, .context = tokens}),
        std::as_const(intuition_.rows).matrix());
    if (!r_.match_scale) return;
    const double factor = *r_.match_scale / *own_scale_;
    say(common_, "scale: an update of {:.4g} per rank at the start, multiplied by {:.4g} to be {:.4g}\n", *own_scale_,
        factor, *r_.match_scale);
    r_.spec = peft::scaled(r_.spec, factor);
    adapters_ = {};  // off the model before others take their place
    adapters_ = peft::attach(*e_.model, r_.spec);
  }

  void train_steps(train::trainer<cpu, float>& trainer, const train::run_folder& folder) {
    stop_signals signals;
    train::json_log log(common_.log.empty() ? r_.out / "log.jsonl" : std::filesystem::path(common_.log),
                        state_.log_bytes);
    train::progress progress("training", steps_, common_.quiet);
    for (index_t step = state_.step; step < steps_; ++step) {
      const auto started = std::chrono::steady_clock::now();
      const auto batches = data::pack(e_.set.examples, sampler_.take(r_.schedule.batch), packing_);
      const double factor = optim::cosine_with_warmup(step, r_.schedule.warmup, steps_);
      const auto report = trainer.step(batches, std::as_const(intuition_.rows).matrix(), factor);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
      train::run_totals& totals = state_.totals;
      if (step == 0) totals.first_loss = report.loss;
      totals.last_loss = report.loss, totals.tokens += report.tokens, totals.seconds += seconds;

      nlohmann::json line = log_line(report, step + 1, r_.schedule.learning_rate * factor, seconds);
      warn_of_saturation(step + 1, report.gates);
      if (r_.how.eval_every && (step + 1) % r_.how.eval_every == 0 && !e_.scored.empty())
        line["evaluation"] = eval::to_json(eval::summarise(e_.scored.score("scoring")));
      folder.require_in_place();
      log.write(line);
      progress.show(step + 1,
                    fmt::format("loss {:.4f}  {:.0f} tokens/s", report.loss, double(report.tokens) / seconds));
      const int stop = signals.take();
      if ((step + 1) % r_.how.checkpoint_every == 0 || step + 1 == steps_ || stop) {
        state_.step = step + 1, state_.sampler_position = sampler_.position(), state_.log_bytes = log.size();
        train::save_checkpoint(r_.out, trainer, state_);
      }
      if (stop)
        throw stopped(stop, text("stopped behind step ", step + 1, " of ", steps_, "; ", r_.goes_on, " goes on"));
    }
    progress.finish();
  }

  void warn_of_saturation(index_t step, std::span<const train::gate_report> gates) {
    std::size_t saturated = 0, all = 0;
    for (const auto& of : gates)
      for (const double g : of.values) ++all, saturated += g < 0.02 || g > 0.98;
    if (saturated && !std::exchange(warned_, true))
      warn(common_, "step {}: {} of {} gates are beyond 0.02 or 0.98 and hardly learn any more", step, saturated, all);
  }

  void save_adapter() {
    peft::adapter_record record;
    record.spec = r_.spec;
    record.base_model = e_.options.model;
    record.base_sha256 = e_.base_hash;
    if (reads_intuition()) {
      record.intuition = train::to_json(intuition_.recipe);
      record.centroids = intuition_.recipe.source.centroids.clone();
    }
    record.extras = {{"template", e_.options.wording},
                     {"answer", e_.options.answer},
                     {"tasks", e_.set.task_names},
                     {"steps", steps_}};
    if (needs_.types) record.extras["task_types"] = e_.set.type_1;
    peft::save_adapter(r_.out / "adapter", adapters_, record);
  }

  void score() {
    scores_.before = e_.scored.score_base(adapters_);
    scores_.after = e_.scored.score("scoring");
    if (reads_intuition() && intuition_.recipe.kind == train::intuition_kind::clusters)
      scores_.permuted = e_.scored.score_permuted(common_.seed);
  }

  experiment& e_;
  run_request r_;
  common_options common_;
  std::optional<train::run_state> saved_;
  peft::method_needs needs_;
  bool warned_ = false;
  index_t steps_;
  data::sampler sampler_;
  data::packing_options packing_;
  peft::adapter_set<cpu, float> adapters_;
  train::training_intuition intuition_;
  train::trainer_options options_;
  train::run_state state_;
  nlohmann::json settings_;
  std::optional<double> own_scale_;
  evaluated scores_;
  std::size_t step_memory_ = 0;
};

}  // namespace mor1e::program
