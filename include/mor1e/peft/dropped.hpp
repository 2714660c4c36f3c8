// Dropout by the random numbers of the step.
#pragma once

#include <cstdint>
#include <string_view>

#include "mor1e/core/error.hpp"
#include "mor1e/ops/dropout.hpp"
#include "mor1e/peft/adapter_context.hpp"

namespace mor1e::peft {

/// x [T, n], in training with every element zero with probability `rate` and the others divided by 1 - rate. Which ones
/// follows from `site`, the key of the step, and the example and position of the row: however the step is packed,
/// split, recomputed or resumed, they are the same. Throws `value_error`, beginning with `what`, where a step that
/// trains draws no numbers.
template <class B, class T>
var<T> dropped(tape<B>& t, var<T> x, double rate, std::uint64_t site, const adapter_context<B, T>& step,
               std::string_view what) {
  if (rate == 0 || !step.mode.training) return x;
  require<value_error>(bool(step.batch.draw), what, ": this step draws no random numbers for a dropout of ", rate);
  return ops::dropout(t, x, rate, site, step.batch.examples, step.batch.positions, step.batch.draw);
}

}  // namespace mor1e::peft
