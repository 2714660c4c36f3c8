// How a run is set up: presets and options.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/core/shape.hpp"

namespace mor1e::train {

/// The optimiser's side of a run. Learning rates follow a cosine to zero after a linear warm-up.
struct schedule_settings {
  index_t batch = 16;  ///< examples of a step
  double learning_rate = 5e-4;
  index_t warmup = 10;      ///< steps
  double clip = 1;          ///< largest gradient norm; 0: none
  double weight_decay = 0;  ///< decoupled; with 0 AdamW is Adam
  double epochs = 1;
  index_t steps = 0;  ///< 0: from the epochs
};

/// `paper`: batch 64, 5e-5, 3 epochs, Adam, no warm-up, no clipping. `release`: the same with its warm-up of 100
/// steps and clip 0.3. `quick`: 60 steps of 16 at 5e-4. `suite`: 60 steps of 32 at 2e-3, for the generated suite.
struct preset {
  std::string_view name;
  schedule_settings schedule;
};
inline constexpr preset presets[] = {
    {"paper", {.batch = 64, .learning_rate = 5e-5, .warmup = 0, .clip = 0, .epochs = 3}},
    {"release", {.batch = 64, .learning_rate = 5e-5, .warmup = 100, .clip = 0.3, .epochs = 3}},
    {"quick", {.batch = 16, .learning_rate = 5e-4, .warmup = 10, .clip = 1, .steps = 60}},
    {"suite", {.batch = 32, .learning_rate = 2e-3, .warmup = 8, .clip = 1, .steps = 60}},
};

/// The preset of that name. Throws `value_error` listing the names there are.
schedule_settings schedule_of(std::string_view name);

/// Steps of a run over `examples`: what was given, or the epochs' batches rounded up. Throws `value_error` for a batch
/// below 1 or a run without a step.
index_t total_steps(const schedule_settings& schedule, index_t examples);

/// Bytes of "2.4GB", "900MB", "1GiB", "1048576". Throws `value_error`.
std::uint64_t parse_bytes(const std::string& text);

}  // namespace mor1e::train

#ifndef MOR1E_COMPILED
#include "mor1e/train/settings.ipp"
#endif
