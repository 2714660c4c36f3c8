// Losses of the adapters beside that of the model.
#pragma once

#include "mor1e/nn/step_context.hpp"
#include "mor1e/ops/add.hpp"

namespace mor1e::nn {

/// The sum of the auxiliary losses that a forward pass left in `step`; empty if there are none.
template <class B, class T>
var<T> auxiliary_loss(tape<B>& t, const step_context<B, T>& step) {
  var<T> sum;
  for (const auto& term : step.auxiliary_losses) sum = sum ? ops::add(t, sum, term.loss) : term.loss;
  return sum;
}

/// What to sweep back from: the loss of the model with the auxiliary losses of its pass.
template <class B, class T>
var<T> total_loss(tape<B>& t, var<T> loss, const step_context<B, T>& step) {
  const var<T> other = auxiliary_loss(t, step);
  return other ? ops::add(t, loss, other) : loss;
}

}  // namespace mor1e::nn
