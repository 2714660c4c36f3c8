// The large cases of an op, timed on a device: forward, and forward with backward.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "mor1e/autodiff/plan.hpp"
#include "mor1e/backend/with_device.hpp"
#include "mor1e/ops/sum.hpp"
#include "mor1e/testing/cases.hpp"

namespace mor1e::bench {

/// Runs the plan of one case. A backward starts from a scalar, so a sum follows the op; the time and the work are those
/// of the op's own nodes.
template <class Op, class B>
void run_case(benchmark::State& state, B& device, const op_case<Op>& c, bool with_backward) {
  using T = float;
  const testing::drawn_case drawn = testing::draw(c);
  using frozen = typename B::template frozen<T>;
  std::vector<std::unique_ptr<frozen>> held;
  std::vector<operand> in;
  tape<B> t(device, recording::plan);
  for (std::size_t k = 0; k < c.inputs.size(); ++k) {
    const case_input& spec = c.inputs[k];
    if (spec.frozen) {
      held.push_back(std::make_unique<frozen>(device, testing::narrow<T>(drawn.inputs[k])));
      in.push_back(t.frozen(*held.back()));
    } else if (spec.integers.empty()) {
      in.push_back(t.template input<T>(spec.rows, spec.cols, with_backward && spec.gradient));
    } else {
      in.push_back(t.template input<std::int32_t>(spec.rows, spec.cols));
    }
  }
  const var<T> y = t.template apply<Op, T>(c.attributes, in);
  const var<T> root = y.rows * y.cols == 1 ? y : ops::sum(t, y);
  // Nothing is kept for another op here: a second forward would be time that a model need not spend.
  plan<B> steps(std::move(t), root, with_backward, false);
  const auto fill = [&]<class U>(std::size_t k, U) {
    const tensor<U> values = testing::narrow<U>(drawn.inputs[k]);
    steps.fill(var<U>{in[k].id, in[k].rows, in[k].cols, in[k].graph}, values);
  };
  for (std::size_t k = 0; k < c.inputs.size(); ++k)
    if (!c.inputs[k].frozen) c.inputs[k].integers.empty() ? fill(k, T()) : fill(k, std::int32_t());

  std::vector<node_time> times;
  for ([[maybe_unused]] auto _ : state) {
    for (node_time& n : times) n.seconds = 0;
    steps.run(times);
    double seconds = 0;
    for (const node_time& n : times)
      if (!std::strcmp(n.op, Op::label)) seconds += n.seconds;
    state.SetIterationTime(seconds);
  }
  cost work = Op::work(c.attributes, in, false);
  if (with_backward) {
    const cost back = Op::work(c.attributes, in, true);
    work.flops += back.flops, work.bytes += back.bytes;
  }
  using benchmark::Counter;
  state.counters["FLOP/s"] = Counter(work.flops, Counter::kIsIterationInvariantRate);
  state.counters["bytes/s"] = Counter(work.bytes, Counter::kIsIterationInvariantRate, Counter::kIs1024);
}

/// What registers the cases of an op on a device of type B.
template <class B>
std::vector<void (*)(B&)>& registrars() {
  static std::vector<void (*)(B&)> all;
  return all;
}

/// Registers the cases of Op that are marked for it.
template <class Op, class B>
void add_cases(B& device) {
  for (const auto& c : Op::cases())
    for (const bool with_backward : {false, true}) {
      if (!c.benchmark || (with_backward && WithoutGradient<Op>)) continue;
      const std::string name = text(Op::label, "/", c.name, with_backward ? "/forward+backward" : "/forward");
      benchmark::RegisterBenchmark(
          name.c_str(),
          [&device, c, with_backward](benchmark::State& state) { run_case(state, device, c, with_backward); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
}

/// The same for each back end of the build.
template <class Op>
void add() {
  registrars<cpu>().push_back(&add_cases<Op, cpu>);
#ifdef MOR1E_WITH_CUDA
  registrars<cuda>().push_back(&add_cases<Op, cuda>);
#endif
}

}  // namespace mor1e::bench
