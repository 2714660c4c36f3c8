// What a method costs on one group of linears that read the same input, SmolLM2's q, k and v unless told otherwise:
//
//     experts --tokens=2048 --in=2048 --out=2048,512,512 --benchmark_filter=mor1e
//
// The base alone; LoRA; the mixture, fused and composed from separate ops. In turns with each run, the products that
// the method cannot do without are done alone: `of_gemm` is their share of its time, 1 for a method whose every other
// instruction is free.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "mor1e/autodiff/plan.hpp"
#include "mor1e/backend/cpu.hpp"
#include "mor1e/ops/sum.hpp"
#include "mor1e/peft/attach.hpp"
#include "mor1e/peft/lora.hpp"
#include "mor1e/peft/mor1e.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

struct sizes {
  index_t tokens = 1600, in = 576;
  std::vector<index_t> out{576, 192, 192};
};

/// Softmax again, in a type of its own: only `softmax_router` runs fused.
struct separate_softmax {
  auto operator()(auto& tape, auto logits, auto&) const { return ops::softmax(tape, logits); }
};

using group = nn::projection_group<cpu, float>;

/// All processors this process may use: `taskset` chooses.
cpu& device() {
  static cpu all;
  return all;
}

tensor<float> random(index_t rows, index_t cols, std::uint64_t key) {
  return testing::random<float>(shape{rows, cols}, key);
}

group make_group(const sizes& s) {
  std::vector<nn::projection<cpu, float>> parts(s.out.size());
  for (std::size_t p = 0; p < parts.size(); ++p) {
    parts[p].name = text("linear", p);
    parts[p].w = nn::weight<cpu, float>(cpu::frozen<float>(random(s.out[p], s.in, p)));
  }
  return group(std::move(parts));
}

/// The products of a group alone, on memory of their own with the shapes and strides they have in it.
class products {
 public:
  /// `slots`: rank of the update of each linear, 0 for none; `down`: rows of the projection that all of them share.
  products(const sizes& s, const group& of, index_t slots, index_t down)
      : of_(&of),
        slots_(slots),
        x_(random(s.tokens, s.in, 1)),
        dx_(random(s.tokens, s.in, 2)),
        y_(random(s.tokens, of.outputs(), 3)) {
    if (!slots) return;
    const index_t rank = slots * index_t(s.out.size());
    down_ = random(down, s.in, 4), ddown_ = random(down, s.in, 5), projected_ = random(s.tokens, down, 6);
    gates_ = random(s.tokens, rank, 7);
    for (const index_t out : s.out) up_.push_back(random(out, slots, 8)), dup_.push_back(random(out, slots, 9));
  }

  void forward() {
    constexpr auto no = transpose::no, yes = transpose::yes;
    if (slots_) gemm(device(), no, yes, 1.f, in(x_), in(down_), 0.f, projected_.matrix());
    each([&](std::size_t p, const auto& w, view<float> y) {
      frozen_gemm(device(), yes, in(x_), w, 0.f, y);
      if (slots_) gemm(device(), no, yes, 1.f, part(gates_, p), in(up_[p]), 1.f, y);
    });
  }
  void backward() {
    constexpr auto no = transpose::no, yes = transpose::yes;
    each([&](std::size_t p, const auto& w, view<const float> dy) {
      frozen_gemm(device(), no, dy, w, p ? 1.f : 0.f, dx_.matrix());
      if (!slots_) return;
      gemm(device(), no, no, 1.f, dy, in(up_[p]), 0.f, gates_.matrix().col_range(index_t(p) * slots_, slots_));
      gemm(device(), yes, no, 1.f, dy, part(gates_, p), 1.f, dup_[p].matrix());
    });
    if (!slots_) return;
    gemm(device(), no, no, 1.f, in(projected_), in(down_), 1.f, dx_.matrix());
    gemm(device(), yes, no, 1.f, in(projected_), in(x_), 1.f, ddown_.matrix());
  }

 private:
  static view<const float> in(const tensor<float>& t) { return t.matrix(); }
  view<const float> part(const tensor<float>& t, std::size_t p) const {
    return in(t).col_range(index_t(p) * slots_, slots_);
  }
  template <class F>
  void each(F f) {
    index_t first = 0;
    for (std::size_t p = 0; p < of_->parts().size(); ++p) {
      const auto& w = of_->parts()[p].w.values();
      f(p, w, y_.matrix().col_range(first, w.rows()));
      first += w.rows();
    }
  }

  const group* of_;
  index_t slots_;
  tensor<float> x_, dx_, y_, down_, ddown_, projected_, gates_;
  std::vector<tensor<float>> up_, dup_;
};

struct base_alone {};

/// The group with a method on it as a plan. A backward starts from a scalar, so a sum follows: it is not counted.
template <class Method>
void run(benchmark::State& state, const sizes& s, const Method& method, bool with_backward) {
  constexpr bool adapted = !std::is_same_v<Method, base_alone>;
  constexpr index_t instances = 16;
  group linears = make_group(s);
  peft::adapter_set<cpu, float> adapters;
  index_t slots = 0, down = 0, clusters = 0;
  if constexpr (adapted) {
    adapters = peft::attach(std::vector{&linears}, method);
    std::uint64_t key = 100;
    for (auto& v : adapters.views())
      if (!v.vector) {
        const tensor<float> values = random(v.values.rows, v.values.cols, ++key);
        std::copy(values.begin(), values.end(), v.values.data);
      }
    slots = method.slots(), down = index_t(s.out.size()) * (method.slots() + method.router_rows());
    if constexpr (requires { method.experts; }) clusters = method.experts;
  }

  tape<cpu> t(device(), recording::plan);
  nn::step_context<cpu, float> step;
  const var<float> x = t.input<float>(s.tokens, s.in, with_backward);
  step.instances = t.input<std::int32_t>(s.tokens, 1);
  if (clusters) step.intuition = t.input<float>(instances, clusters);
  const var<float> loss = ops::sum(t, linears.forward(t, x, step));
  plan<cpu> steps(std::move(t), loss, with_backward);
  slab<cpu> memory(device());
  memory.reserve(steps.bytes());
  steps.bind(memory.data());
  const auto fill = [&](var<float> v, std::uint64_t key) {
    const tensor<float> values = random(v.rows, v.cols, key);
    steps.fill(v, values.matrix());
  };
  fill(x, 200);
  if (clusters) fill(step.intuition, 201);
  tensor<std::int32_t> of(shape{s.tokens, 1});
  for (index_t i = 0; i < s.tokens; ++i) of[i] = std::int32_t(i * instances / s.tokens);
  steps.fill(step.instances, std::as_const(of).matrix());

  products alone(s, linears, slots, down);
  std::vector<node_time> times;
  double ours = 0, theirs = 0, flops = 0;
  for ([[maybe_unused]] auto _ : state) {
    for (node_time& n : times) n.seconds = n.flops = 0;
    steps.run(times);
    double seconds = 0;
    flops = 0;
    for (const node_time& n : times)
      if (std::strcmp(n.op, ops::sum_op::label)) seconds += n.seconds, flops += n.flops;
    state.SetIterationTime(seconds);
    ours += seconds;

    using clock = std::chrono::steady_clock;
    const auto begin = clock::now();
    alone.forward();
    if (with_backward) alone.backward();
    theirs += std::chrono::duration<double>(clock::now() - begin).count();
  }
  using benchmark::Counter;
  state.counters["tokens/s"] = Counter(double(s.tokens), Counter::kIsIterationInvariantRate);
  state.counters["FLOP/s"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.counters["bytes"] = Counter(double(steps.bytes()), Counter::kDefaults, Counter::kIs1024);
  state.counters["parameters"] = double(adapters.parameter_count());
  state.counters["of_gemm"] = theirs / ours;
}

template <class Method>
void add(const std::string& name, const sizes& s, const Method& method) {
  for (const bool with_backward : {false, true})
    benchmark::RegisterBenchmark(text(name, with_backward ? "/forward+backward" : "/forward").c_str(),
                                 [=](benchmark::State& state) { run(state, s, method, with_backward); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
}

index_t whole(std::string_view number) {
  index_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  require<value_error>(error == std::errc() && end == number.data() + number.size() && value > 0, "'", number,
                       "' is not a positive whole number");
  return value;
}

/// --tokens=N, --in=N, --out=N,N,...
sizes read_sizes(int argc, char** argv) {
  sizes s;
  for (int i = 1; i < argc; ++i) {
    const std::string_view given = argv[i];
    const auto value_of = [&](std::string_view name) {
      return given.starts_with(name) ? std::optional(given.substr(name.size())) : std::nullopt;
    };
    if (const auto tokens = value_of("--tokens=")) {
      s.tokens = whole(*tokens);
    } else if (const auto in = value_of("--in=")) {
      s.in = whole(*in);
    } else if (const auto out = value_of("--out=")) {
      s.out.clear();
      for (std::size_t at = 0; at <= out->size();) {
        const std::size_t comma = std::min(out->find(',', at), out->size());
        s.out.push_back(whole(out->substr(at, comma - at)));
        at = comma + 1;
      }
      require<value_error>(s.out.size() <= std::size_t(ops::frozen_linear_op::max_parts), "--out: ", s.out.size(),
                           " linears, at most ", ops::frozen_linear_op::max_parts);
    } else {
      throw value_error(text("'", given, "' is none of --tokens=N, --in=N, --out=N,N and --benchmark_*"));
    }
  }
  return s;
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  try {
    const sizes s = read_sizes(argc, argv);
    add("base", s, base_alone{});
    for (const int rank : {8, 16, 32, 64, 128})
      add(text("lora/", rank), s, peft::lora{.rank = rank, .alpha = double(rank)});
    for (const int experts : {1, 2, 4, 8, 16, 20, 32, 64, 128, 256}) {
      add(text("mor1e/", experts), s, peft::mor1e{.experts = experts});
      add(text("mor1e_composed/", experts), s, peft::basic_mor1e<separate_softmax>{.experts = experts});
    }
  } catch (const error& e) {
    std::fprintf(stderr, "experts: %s\n", e.what());
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
