// Learning rate schedules: the factor of a step.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace mor1e::optim {

/// Linear from 0 over `warmup` steps, then (1 + cos(pi (step - warmup) / max(1, total - warmup))) / 2: from 1 down to 0
/// at step `total`. Steps count from 0, so that with a warm-up the first step does not move anything. As in the
/// transformers library, whose runs this repeats, the cosine goes on beyond `total` and rises again: training ends
/// there.
inline double cosine_with_warmup(std::int64_t step, std::int64_t warmup, std::int64_t total) {
  if (step < warmup) return double(step) / double(warmup);
  const double progress = double(step - warmup) / double(std::max<std::int64_t>(1, total - warmup));
  return 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace mor1e::optim
