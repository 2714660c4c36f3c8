// Runs the cells of a matrix that are not done yet.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "experiments/matrix_options.hpp"
#include "experiments/matrix_results.hpp"
#include "experiments/run_store.hpp"
#include "matched.hpp"
#include "mor1e/core/quartiles.hpp"
#include "mor1e/io/json_fields.hpp"
#include "mor1e/train/run.hpp"
#include "run_printer.hpp"

namespace mor1e::program {

/// Median time of the steps that a run's log tells of, the first apart: it also plans.
inline double step_seconds(const std::filesystem::path& log) {
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

/// The seed by which learning rates are chosen: none of those reported.
inline constexpr std::uint64_t tuning_seed = 1000000;

template <class B>
class matrix_runner {
 public:
  matrix_runner(B& device, const matrix_options& o, std::vector<contestant> contestants)
      : device_(device), o_(o), contestants_(std::move(contestants)), store_(o.out), share_(share_of(o.part)) {}

  /// Everything that can be wrong with anybody is found before anything is written.
  void check() {
    run_store::check_from(o_.from);
    for (const std::string& model : models())
      for (const contestant& c : contestants_) {
        train::experiment<B>& e = experiment_for(model, c);
        require<value_error>(!e.scored.empty(), "--data ", o_.data.data, ": no task has an eval.jsonl to compare by");
        check_items(e.scored.items(), "--data");
        if (!o_.tune.empty()) check_items(e.dev.items(), "--dev-limit");
        for (const std::string& task : split(e.settings.unseen))
          require<value_error>(has_choices(e.scored.items(), task), "--unseen ", task,
                               ": none of its rows has choices to be right about");
        const planned_run run{&c, model, o_.common.seed, c.learning_rate.value_or(rate())};
        train::run<B>(e, request_of(e, run));
      }
  }

  /// What is done in the end; runs of other parts are missing.
  matrix_results run_all() {
    std::filesystem::create_directories(std::filesystem::path(o_.out) / "embeddings");
    if (!o_.from.empty()) say(o_.common, "taken over: {} runs\n", store_.take_from(o_.from));
    const std::vector<double> rates = rates_of(o_);
    index_t free = 0;
    for (const contestant& c : contestants_) free += !c.learning_rate;
    const index_t total =
        index_t(models().size()) * (index_t(contestants_.size()) * o_.seeds + free * index_t(rates.size()));
    progress_.emplace("runs", total, o_.common.quiet);
    matrix_results out;
    for (const std::string& model : models()) {
      model_results& of = out.models.emplace_back();
      of.model = model;
      for (const contestant& c : contestants_)
        of.contestants.push_back({.of = c, .learning_rate = {}, .tuned = {}, .runs = {}});
      for (contestant_results& c : of.contestants) {
        c.learning_rate = tuned_rate(model, c, rates);
        out.untuned += !c.learning_rate;
      }
      for (std::uint64_t seed = 0; seed < std::uint64_t(o_.seeds); ++seed)
        for (contestant_results& c : of.contestants) {
          // A run whose rate is not chosen yet has its number all the same: shares do not shift.
          const index_t number = next_++;
          std::optional<run_record> done;
          if (c.learning_rate) done = result_of(number, {&c.of, model, o_.common.seed + seed, *c.learning_rate});
          if (done)
            c.runs.push_back(std::move(*done));
          else
            ++out.missing;
        }
    }
    progress_->finish();
    return out;
  }

 private:
  std::vector<std::string> models() const { return split(o_.data.model); }
  double rate() const { return o_.schedule.settings().learning_rate; }

  static bool has_choices(const std::vector<data::example>& rows, const std::string& task) {
    return std::any_of(rows.begin(), rows.end(),
                       [&](const data::example& row) { return row.task == task && !row.choices.empty(); });
  }
  /// Throws unless the rows can be marked by the metric of the tables.
  void check_items(const std::vector<data::example>& rows, const char* of) const {
    index_t items = 0, letters = 0;
    for (const data::example& row : rows) {
      if (row.choices.empty()) continue;
      ++items, letters += row.style.value_or(data::answer_style::letter) == data::answer_style::letter;
    }
    require<value_error>(items > 0, of, ": none of ", rows.size(), " rows has choices to be right about");
    const bool by_letter = o_.score == "letter" || o_.score == "greedy";
    require<value_error>(!by_letter || letters == items, "--score ", o_.score, ": ", items - letters, " of ", items,
                         " items are answered with a text");
    require<value_error>(
        !o_.score.empty() || letters == 0 || letters == items, letters, " of ", items,
        " items are answered with a letter, the others with a text; --score or --answer says what counts");
  }

  /// Model and rows, kept until others are needed.
  train::experiment<B>& experiment_for(const std::string& model, const contestant& c) {
    const std::pair<std::string, std::string> key{model, c.unseen};
    if (loaded_ == key && experiment_) return *experiment_;
    if (loaded_.first != model) experiment_.reset();
    train::data_settings data = o_.data;
    data.model = model;
    if (!c.unseen.empty()) data.unseen += (data.unseen.empty() ? "" : ",") + c.unseen;
    experiment_ = std::make_unique<train::experiment<B>>(device_, data, o_.schedule.settings(), o_.common.seed,
                                                         !o_.common.quiet, std::nullopt, experiment_.get());
    loaded_ = key;
    return *experiment_;
  }

  /// Of one run, which prints nothing of its own.
  common_options common_of(std::uint64_t seed) const {
    common_options common = o_.common;
    common.seed = seed, common.quiet = true, common.log.clear(), common.json.clear();
    return common;
  }

  train::run_request request_of(train::experiment<B>& e, const planned_run& run) const {
    const contestant& c = *run.of;
    train::schedule_settings schedule = o_.schedule.settings();
    schedule.learning_rate = run.learning_rate;
    const peft::adapter_spec reference = reference_of(c.method);
    peft::adapter_spec spec = spec_of(c.method, run.seed, schedule.learning_rate);
    require<value_error>(c.control.empty() || spec.method.needs().clusters > 0, "--contestants: ", c.recipe,
                         " reads no intuition");
    if (!o_.own_parameters) spec = matched(*e.model, spec, reference, common_of(run.seed));
    const std::filesystem::path out = store_.folder_of(o_, run);
    train::run_request request{.label = c.label,
                               .spec = spec,
                               .measure_scale = true,
                               .on_dev = run.on_dev,
                               .score_permuted = !run.on_dev,
                               .schedule = schedule,
                               .how = o_.run,
                               .seed = run.seed,
                               .out = out,
                               .embeddings = store_.embeddings_of(o_, c),
                               .keep_data = false,
                               .saved = train::saved_state(out)};
    request.how.control = c.control;
    request.how.intuition = c.intuition;
    if (!o_.own_scale) request.match_scale = reference.method.scale();
    return request;
  }

  /// The rate that is best for a contestant by its runs on the rows kept for that; none while such runs are missing.
  std::optional<double> tuned_rate(const std::string& model, contestant_results& c, const std::vector<double>& rates) {
    if (c.of.learning_rate) return c.of.learning_rate;
    if (rates.empty()) return rate();
    for (const double r : rates)
      if (const auto done = result_of(next_++, {&c.of, model, tuning_seed, r, true}))
        c.tuned.push_back({r, percent_right(done->right, o_.score), done->answer_log_probability});
    if (c.tuned.size() < rates.size()) return {};
    return best_rate(c.tuned);
  }

  /// A run, or what is left of it from before; none if it is another part's and not done.
  std::optional<run_record> result_of(index_t number, const planned_run& run) {
    const std::filesystem::path folder = store_.folder_of(o_, run);
    std::optional<run_record> record;
    if (run_store::is_done(folder) || share_.holds(number)) record = run_once(run, folder);
    progress_->show(number + 1, record
                                    ? fmt::format("{}: {:.1f} %", run.of->label, percent_right(record->right, o_.score))
                                    : fmt::format("{}: of another part", run.of->label));
    return record;
  }

  run_record run_once(const planned_run& planned, const std::filesystem::path& folder) {
    train::experiment<B>& e = experiment_for(planned.model, *planned.of);
    const train::run_request request = request_of(e, planned);
    run_printer printer(common_of(planned.seed));
    train::run<B> run(e, request, &printer);
    nlohmann::json settings = run.settings();
    settings["items"] = (planned.on_dev ? e.dev : e.scored).hash();
    if (run_store::is_done(folder)) {
      std::string advice;
      const run_record before = run_store::read(folder, settings, advice);
      const bool is_new = !advice.empty() && told_.insert(advice).second;
      if (is_new)
        warn(o_.common, "{} {}: the runs are not alike (said once, of the first such)", folder.string(), advice);
      return before;
    }
    const nlohmann::json result = run.run_all();
    const auto& scores = run.scores();
    const run_record record{
        .size = request.spec.method.size(),
        .parameters = result.at("parameters").template get<std::int64_t>(),
        .learning_rate = planned.learning_rate,
        .own_scale = result.at("scale").at("own").template get<double>(),
        .scale = result.at("scale").at("run").template get<double>(),
        .last_loss = result.at("last_loss").template get<double>(),
        .answer_log_probability = eval::summarise(scores.after).all.answer_log_probability.value_or(0),
        .step_seconds = step_seconds(request.out / "log.jsonl"),
        .seconds = result.at("seconds").template get<double>(),
        .step_memory = run.step_memory(),
        .tasks = tasks_of(scores.after),
        .base = marks(scores.before),
        .right = marks(scores.after),
        .permuted = marks(scores.permuted)};
    run_store::write(folder, settings, record);
    return record;
  }

  B& device_;
  const matrix_options& o_;
  std::vector<contestant> contestants_;
  run_store store_;
  share share_;
  std::pair<std::string, std::string> loaded_;
  std::unique_ptr<train::experiment<B>> experiment_;
  std::optional<train::progress> progress_;
  index_t next_ = 0;            ///< number of the run to come, of all parts
  std::set<std::string> told_;  ///< how runs differ that were found done
};

}  // namespace mor1e::program
