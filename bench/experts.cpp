// What every method costs on one group of linears that read the same input, SmolLM2's q, k and v unless told otherwise:
//
//     experts --benchmark_out=DIR/experts.json --benchmark_out_format=json      # and the pictures, in DIR
//     experts --tokens=2048 --in=2048 --out=2048,512,512 --benchmark_filter=experts/mor1e
//
// Experts from 1 to 256; tokens and width at total rank 32. In turns with each run, the products that the method cannot
// do without are done alone: `of_gemm` is their share of its time, 1 for a method whose every other instruction is
// free. Times are medians with their quartiles. A method of one's own: one line in experts/methods.cpp.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include "device.hpp"
#include "experts/sweep.hpp"
#include "mor1e/core/split.hpp"

using namespace mor1e;
using namespace mor1e::bench;

namespace {

struct settings {
  sizes on;
  effort until;
};

/// --tokens=N, --in=N, --out=N,N,..., --runs=N
settings read_settings(int argc, char** argv) {
  settings s;
  for (int i = 1; i < argc; ++i) {
    const std::string_view given = argv[i];
    const auto value_of = [&](std::string_view name) {
      return given.starts_with(name) ? std::optional(given.substr(name.size())) : std::nullopt;
    };
    if (const auto tokens = value_of("--tokens=")) {
      s.on.tokens = whole(*tokens);
    } else if (const auto in = value_of("--in=")) {
      s.on.in = whole(*in);
    } else if (const auto runs = value_of("--runs=")) {
      s.until = {int(whole(*runs)), 0};
    } else if (const auto out = value_of("--out=")) {
      s.on.out.clear();
      for (const std::string& width : split(*out)) s.on.out.push_back(whole(width));
      require<value_error>(!s.on.out.empty() && s.on.out.size() <= std::size_t(ops::frozen_linear_op::max_parts),
                           "--out: ", s.on.out.size(), " linears, at least 1 and at most ",
                           ops::frozen_linear_op::max_parts);
    } else {
      throw value_error(text("'", given, "' is none of --tokens=N, --in=N, --out=N,N, --runs=N and --benchmark_*"));
    }
  }
  return s;
}

std::vector<point> points;

/// Measured once: the runs inside are what is repeated.
template <class B>
void add(kept_linears<B>& linears, const std::string& sweep, const method_case<B>* method, index_t x, const sizes& on,
         int experts, const effort& until) {
  for (const bool with_backward : {false, true})
    benchmark::RegisterBenchmark(
        text(sweep, "/", method ? method->name : "base", "/", x, with_backward ? "/forward+backward" : "/forward")
            .c_str(),
        [=, &linears](benchmark::State& state) {
          measurement took;
          for ([[maybe_unused]] auto _ : state) {
            took = measure(linears, on, method, experts, with_backward, until);
            state.SetIterationTime(took.whole.median);
          }
          points.push_back({sweep, method, x, with_backward, on, took});
          using benchmark::Counter;
          state.counters["tokens/s"] = double(on.tokens) / took.whole.median;
          state.counters["FLOP"] = took.flops;
          state.counters["FLOP/s"] = took.flops / took.whole.median;
          state.counters["bytes"] = Counter(double(took.bytes), Counter::kDefaults, Counter::kIs1024);
          state.counters["parameters"] = double(took.parameters);
          state.counters["of_gemm"] = took.products.median / took.whole.median;
          state.counters["low_ms"] = 1e3 * took.whole.low;
          state.counters["high_ms"] = 1e3 * took.whole.high;
          state.counters["gemm_ms"] = 1e3 * took.products.median;
        })
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
}

template <class B>
void add_all(kept_linears<B>& linears, const settings& s, const std::vector<method_case<B>>& methods) {
  std::vector<const method_case<B>*> all{nullptr};
  for (const method_case<B>& method : methods) all.push_back(&method);
  const auto of_rank_32 = [](const method_entry* method) { return method ? 32 / method->rank : 0; };
  for (const method_case<B>* method : all)
    for (int experts = 1; experts <= 256; experts *= 2)
      if (method || experts == 1 || experts == 256) add(linears, "experts", method, experts, s.on, experts, s.until);
  for (const index_t tokens : {128, 256, 512, 1024, 2048, 4096})
    for (const method_case<B>* method : all)
      add(linears, "tokens", method, tokens, {tokens, s.on.in, s.on.out}, of_rank_32(method), s.until);
  // From half to eight times the width, on as many tokens as keep the largest within seconds.
  for (const index_t halves : {1, 2, 4, 8, 16}) {
    sizes wide{std::min<index_t>(s.on.tokens, 256), std::max<index_t>(1, s.on.in * halves / 2), {}};
    for (const index_t out : s.on.out) wide.out.push_back(std::max<index_t>(1, out * halves / 2));
    for (const method_case<B>* method : all) add(linears, "width", method, wide.in, wide, of_rank_32(method), s.until);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::optional<std::filesystem::path> results;
  for (int i = 1; i < argc; ++i)
    if (const std::string_view given = argv[i], name = "--benchmark_out="; given.starts_with(name))
      results = std::filesystem::path(given.substr(name.size())).parent_path();
  benchmark::Initialize(&argc, argv);
  try {
    const device_options options = take_device_options(argc, argv);
    const settings set = read_settings(argc, argv);
    with_device(options, [&]<class B>(B& device) {
      const std::vector<method_case<B>> all = methods<B>();
      kept_linears<B> linears(device);
      add_all(linears, set, all);
      benchmark::RunSpecifiedBenchmarks();
      if (!results) return;
      std::vector<const method_entry*> drawn;
      for (const auto& method : all) drawn.push_back(&method);
      if (const int missing = draw(*results, drawn, points))
        std::fprintf(stderr, "experts: gnuplot did not draw %d pictures; their sources are there\n", missing);
    });
  } catch (const error& e) {
    std::fprintf(stderr, "experts: %s\n", e.what());
    return dynamic_cast<const value_error*>(&e) ? 2 : 1;
  }
  benchmark::Shutdown();
}
