// Learning rate schedules: the factor of a step, to be given to `step` of an optimiser. Steps count from 0.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "mor1e/core/error.hpp"

namespace mor1e::optim {

/// min(1, step / warmup): linear from 0 over `warmup` steps, then 1, also without a warm-up. The first step of a
/// warm-up does not move anything.
inline double constant_with_warmup(std::int64_t step, std::int64_t warmup = 0) {
  return step < warmup ? double(step) / double(warmup) : 1;
}

/// The warm-up, then max(0, (total - step) / max(1, total - warmup)): a line from 1 down to 0 at step `total`, where it
/// stays.
inline double linear_with_warmup(std::int64_t step, std::int64_t warmup, std::int64_t total) {
  if (step < warmup) return constant_with_warmup(step, warmup);
  return double(std::max<std::int64_t>(0, total - step)) / double(std::max<std::int64_t>(1, total - warmup));
}

/// The warm-up, then (1 + cos(pi (step - warmup) / max(1, total - warmup))) / 2: from 1 down to 0 at step `total`. As
/// in the transformers library, whose runs this repeats, the cosine goes on beyond `total` and rises again: training
/// ends there.
inline double cosine_with_warmup(std::int64_t step, std::int64_t warmup, std::int64_t total) {
  if (step < warmup) return constant_with_warmup(step, warmup);
  const double progress = double(step - warmup) / double(std::max<std::int64_t>(1, total - warmup));
  return 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

/// The warm-up, then factor^floor((step - warmup) / every): times `factor` after each `every` steps. With `every` 1 the
/// decay is exponential. Throws `value_error` for an `every` below 1 or a negative factor.
inline double step_decay_with_warmup(std::int64_t step, std::int64_t warmup, std::int64_t every, double factor) {
  require<value_error>(every >= 1 && factor >= 0, "step decay: times ", factor, " each ", every, " steps");
  if (step < warmup) return constant_with_warmup(step, warmup);
  return std::pow(factor, double((step - warmup) / every));
}

}  // namespace mor1e::optim
