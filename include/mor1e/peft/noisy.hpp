// Noise by the random numbers of the step.
#pragma once

#include <cstdint>
#include <string_view>

#include "mor1e/core/error.hpp"
#include "mor1e/ops/noise.hpp"
#include "mor1e/peft/adapter_context.hpp"

namespace mor1e::peft {

/// deviation [T, n] times standard normal numbers, which follow from `site`, the key of the step, and the example and
/// position of the row, as in `dropped`. Throws `value_error`, beginning with `what`, for a step that draws no numbers.
template <class B, class T>
var<T> noisy(tape<B>& t, var<T> deviation, std::uint64_t site, const adapter_context<B, T>& step,
             std::string_view what) {
  require<value_error>(bool(step.batch.draw), what, ": this step draws no random numbers for its noise");
  return ops::noise(t, deviation, site, step.batch.examples, step.batch.positions, step.batch.draw);
}

}  // namespace mor1e::peft
