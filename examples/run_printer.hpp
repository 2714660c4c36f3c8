// What a run says to the person who started it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>

#include "mor1e/train/run/observer.hpp"
#include "program.hpp"
#include "stop_signals.hpp"

namespace mor1e::program {

/// Prints on stdout, warns on stderr, and passes SIGINT, SIGTERM and SIGUSR1 on.
class run_printer final : public train::run_observer {
 public:
  explicit run_printer(const common_options& common) : common_(common) {}

  void warning(const std::string& what) override { warn(common_, "{}", what); }
  void fitted(const train::memory_plan& plan) override {
    say(common_, "memory: {:.0f} MB for micro-batches of {} tokens{}\n", double(plan.bytes) / 1e6, plan.tokens,
        plan.recompute ? ", with recomputation" : "");
  }
  void clustered(const train::training_intuition& intuition, double inertia) override {
    say(common_, "intuition: {} prompts by {}, {} clusters, inertia {:.4g}{}\n", intuition.prompts.size(),
        intuition.embedder->id(), intuition.recipe.columns(), inertia,
        intuition.recipe.kind == train::intuition_kind::random ? ", replaced by random directions" : "");
  }
  void scaled(double own, double wanted) override {
    say(common_, "scale: an update of {:.4g} per rank at the start, multiplied by {:.4g} to be {:.4g}\n", own,
        wanted / own, wanted);
  }
  void resumed(index_t step, index_t steps) override { say(common_, "resumed at step {} of {}\n", step, steps); }
  void begun(const train::run_outline& run) override {
    signals_.emplace();
    say(common_, "{} on {}: {} trainable parameters, {} examples of {} tasks, {} steps of {}\n", run.label, run.model,
        run.parameters, run.examples, run.tasks, run.steps, run.batch);
  }
  void trained(const train::run_totals& totals, const std::filesystem::path& adapter) override {
    signals_.reset();
    say(common_, "loss {:.4f} -> {:.4f} in {:.0f} s ({:.0f} tokens/s, peak memory {:.2f} GB); adapter in {}\n",
        totals.first_loss, totals.last_loss, totals.seconds, double(totals.tokens) / std::max(totals.seconds, 1e-9),
        double(train::peak_memory()) / 1e9, adapter.string());
  }
  void scored(const train::evaluated& scores) override { say(common_, "{}", train::table(scores)); }
  int stop() override { return signals_->take(); }
  bool shows_progress() const override { return !common_.quiet; }

 private:
  common_options common_;
  std::optional<stop_signals> signals_;  // while there are steps to stop behind
};

}  // namespace mor1e::program
