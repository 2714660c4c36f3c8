// Who follows a run, and may stop it.
#pragma once

#include <filesystem>
#include <string>

#include "mor1e/core/shape.hpp"
#include "mor1e/train/checkpoint.hpp"
#include "mor1e/train/memory_limit.hpp"
#include "mor1e/train/run/evaluation.hpp"
#include "mor1e/train/training_intuition.hpp"

namespace mor1e::train {

/// What a run is about to do.
struct run_outline {
  std::string label, model;
  index_t parameters = 0, examples = 0, tasks = 0, steps = 0, batch = 0;
};

/// Is told what happens, in this order; a program prints it. What is not overridden is not told.
class run_observer {
 public:
  virtual ~run_observer() = default;
  virtual void warning(const std::string&) {}
  virtual void fitted(const memory_plan&) {}
  virtual void clustered(const training_intuition&, double /*inertia*/) {}
  /// The update had this scale at the start, and is multiplied to have the one that was asked for.
  virtual void scaled(double /*own*/, double /*wanted*/) {}
  virtual void resumed(index_t /*step*/, index_t /*steps*/) {}
  virtual void begun(const run_outline&) {}
  virtual void trained(const run_totals&, const std::filesystem::path& /*adapter*/) {}
  virtual void scored(const evaluated&) {}

  /// Asked after every step: a signal to stop by, or 0.
  virtual int stop() { return 0; }
  /// Whether progress is to be shown on stderr.
  virtual bool shows_progress() const { return false; }
};

}  // namespace mor1e::train
