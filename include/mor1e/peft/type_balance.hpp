// LoRAMoE's balance of experts that depends on the type of an instance's task.
#pragma once

#include <array>
#include <span>

#include "mor1e/ops/add.hpp"
#include "mor1e/ops/columns.hpp"
#include "mor1e/ops/concat_columns.hpp"
#include "mor1e/ops/expert_slots.hpp"
#include "mor1e/ops/gather_rows.hpp"
#include "mor1e/ops/multiply.hpp"
#include "mor1e/ops/normalise_sum.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/ops/scale_by.hpp"
#include "mor1e/ops/scale_columns.hpp"
#include "mor1e/ops/segment_mean.hpp"
#include "mor1e/ops/sum.hpp"
#include "mor1e/peft/adapter_context.hpp"

namespace mor1e::peft {

/// While training leaves weight * CV^2(Q * I) of one router in `step`: the unbiased variance of all entries over the
/// square of their mean. Q [instances, E] is the mean of p over the tokens of an instance. I is 1 + delta for the first
/// half of the experts where the task is of type 1 and for the second half where it is of type 0, and 1 - delta
/// elsewhere. Dou et al. 2023, whose code adds p up over sequences padded to one length: a mean, too, gives every
/// instance the same mass, where a sum over its own tokens would take differences of length for imbalance.
/// It is over the instances of a micro-batch, and over those of a step the mean weighted by their tokens.
/// p [tokens, E], E even. Throws `value_error` for a step that does not know the types.
template <class B, class T>
void add_type_balance(tape<B>& t, double weight, double delta, var<T> p, adapter_context<B, T>& step) {
  if (!step.mode.training || weight == 0) return;
  require<value_error>(step.batch.types && step.batch.segments && step.batch.token_scale,
                       "type balance: this step does not say of which type its tasks are (types)");
  const auto square = [&](var<T> x) { return ops::multiply(t, x, x); };
  const auto subtract = [&](var<T> a, var<T> b) { return ops::add(t, a, ops::scale(t, b, -1)); };
  const auto beside = [&](var<T> a, var<T> b) { return ops::concat_columns<B, T>(t, std::array<var<T>, 2>{a, b}); };
  const var<T> live = square(step.batch.types);  // 1 for an instance, 0 for a segment that is none
  const var<T> favour = ops::scale(t, step.batch.types, delta);
  const var<T> halves = beside(ops::add(t, live, favour), subtract(live, favour));
  const var<T> mass = ops::expert_slots(t, {2, int(p.cols / 2), backend::slot_order::block}, halves,
                                        ops::segment_mean(t, p, step.batch.segments));
  // Of n entries m: CV^2 = (n sum m^2 / (sum m)^2 - 1) n / (n - 1).
  const var<T> squares = ops::sum(t, square(mass)), whole = square(ops::sum(t, mass));
  const var<T> quotient = ops::columns(t, ops::normalise_sum(t, beside(squares, subtract(whole, squares))), 0, 1);
  const var<T> n = ops::scale(t, ops::sum(t, live), double(p.cols)), one = ops::normalise_sum(t, n);
  const var<T> variation = ops::scale_columns(t, subtract(ops::scale_by(t, quotient, n), one), n, subtract(n, one));
  const var<T> tokens = ops::sum(t, square(ops::gather_rows(t, step.batch.types, step.batch.instances)));
  const var<T> share = ops::scale_by(t, tokens, step.batch.token_scale);
  const var<T> loss = ops::scale(t, ops::scale_by(t, variation, share), weight);
  t.keep(loss);
  step.auxiliary_losses.push_back(loss);
}

}  // namespace mor1e::peft
