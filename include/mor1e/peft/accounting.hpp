// What a method costs on a backbone: trainable parameters and floating point operations.
#pragma once

#include <cstdint>

#include "mor1e/peft/adapter_spec.hpp"
#include "mor1e/peft/method_cost.hpp"
#include "mor1e/peft/targets.hpp"

namespace mor1e::peft {

/// The cost on a model of `blocks` equal blocks, each of these linears: what has name, inputs and outputs, such as
/// models::linear_shape. Only those that `attach` would adapt count.
template <class Linears>
method_cost cost_on(const adapter_spec& spec, const Linears& linears, std::int64_t blocks) {
  method_cost sum;
  for (const auto& l : linears)
    if (is_targeted(l.name, spec.targets)) sum = sum + blocks * spec.method.cost_on(l.inputs, l.outputs);
  return sum;
}

}  // namespace mor1e::peft
