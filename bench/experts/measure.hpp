// One method on one group: its time, and in turns with it that of its products alone.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "experts/methods.hpp"
#include "experts/products.hpp"
#include "mor1e/autodiff/plan.hpp"
#include "mor1e/nn/auxiliary_loss.hpp"
#include "mor1e/ops/sum.hpp"

namespace mor1e::bench {

/// When to stop.
struct effort {
  int runs = 7;          ///< at least so many
  double seconds = 0.1;  ///< and so long
};

/// Quartiles of seconds.
struct timing {
  double median = 0, low = 0, high = 0;
};
inline timing quartiles(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double part) { return seconds[std::size_t(part * double(seconds.size() - 1) + 0.5)]; };
  return {at(0.5), at(0.25), at(0.75)};
}

struct measurement {
  timing whole, products;
  double flops = 0;  ///< of one run, as the ops count them
  index_t parameters = 0;
  std::size_t bytes = 0;  ///< of the slab: inputs, activations, gradients, workspace
};

/// The group as a plan, with `method` of `experts` experts; null: the base alone. Forward runs as at inference, with
/// the backward as in training, with capacities and auxiliary losses. A backward starts from a scalar, so a sum
/// follows: it is not counted.
template <class B>
measurement measure(kept_linears<B>& kept, const sizes& s, const method_case<B>* method, int experts,
                    bool with_backward, const effort& until) {
  constexpr index_t instances = 16;
  B& device = kept.device();
  group<B>& linears = kept.of(s);
  adapted<B> on = method ? method->put(linears, experts) : adapted<B>{};
  std::uint64_t key = 100;
  for (auto& v : on.set.views())
    if (v.extents.rank() == 2) {
      const tensor<float> values = random(v.extents.rows(), v.extents.cols(), ++key);
      v.write(values);
    }

  tape<B> t(device, recording::plan);
  nn::step_context<B, float> step;
  step.mode.training = with_backward;
  const var<float> x = t.template input<float>(s.tokens, s.in, with_backward);
  step.batch.instances = t.template input<std::int32_t>(s.tokens, 1);
  step.batch.token_scale = t.template input<float>(1, 1);
  if (on.clusters) step.batch.intuition = t.template input<float>(instances, on.clusters);
  const var<float> y = ops::sum(t, linears.forward(t, x, step)), root = nn::total_loss(t, y, step);
  plan<B> steps(std::move(t), root, with_backward);
  const auto fill = [&](var<float> v, std::uint64_t with) {
    const tensor<float> values = random(v.rows, v.cols, with);
    steps.fill(v, values.matrix());
  };
  fill(x, 200);
  if (on.clusters) fill(step.batch.intuition, 201);
  const tensor<float> scale(shape{1, 1}, 1 / float(s.tokens));
  steps.fill(step.batch.token_scale, scale.matrix());
  tensor<std::int32_t> of(shape{s.tokens, 1});
  for (index_t i = 0; i < s.tokens; ++i) of[i] = std::int32_t(i * instances / s.tokens);
  steps.fill(step.batch.instances, std::as_const(of).matrix());

  using clock = std::chrono::steady_clock;
  products<B> alone(device, s, linears, on.slots, on.down);
  std::vector<node_time> times;
  std::vector<double> ours, theirs;
  measurement out;
  out.parameters = on.set.parameter_count(), out.bytes = steps.bytes();
  double spent = 0;
  for (int run = -1; run < until.runs || spent < until.seconds; ++run) {  // the first touches all memory
    for (node_time& n : times) n.seconds = n.flops = 0;
    steps.run(times);
    double seconds = 0, flops = 0;
    for (const node_time& n : times)
      if (std::strcmp(n.op, ops::sum_op::label)) seconds += n.seconds, flops += n.flops;
    const auto begin = clock::now();
    alone.forward();
    if (with_backward) alone.backward();
    device.finish();
    const double bound = std::chrono::duration<double>(clock::now() - begin).count();
    if (run < 0) continue;
    ours.push_back(seconds), theirs.push_back(bound);
    out.flops = flops, spent += seconds + bound;
  }
  out.whole = quartiles(std::move(ours)), out.products = quartiles(std::move(theirs));
  return out;
}

}  // namespace mor1e::bench
