// Who multiplies fastest: Eigen and oneDNN, and frozen weights in fewer bits, on the sizes of a linear's products.
//
//     gemm --benchmark_filter=576x1536          # all of them on one size
//     gemm --threads=1 --benchmark_filter=forward
//
// A size is tokens x inputs x outputs of a linear. forward: x W^T; dx: dy W; dw: dy^T x, of adapters alone.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>

#include "device.hpp"
#include "mor1e/backend/cpu/eigen.hpp"
#ifdef MOR1E_ONEDNN
#include "mor1e/backend/cpu/onednn/library.hpp"
#include "mor1e/backend/cpu/onednn/rounded_weight.hpp"
#endif
#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/rng.hpp"

using namespace mor1e;
using backend::transpose;

namespace {

struct linear {
  index_t tokens, inputs, outputs;
  std::string name() const { return text(tokens, "x", inputs, "x", outputs); }
};

tensor<float> drawn(index_t rows, index_t cols) {
  rng draw(1);
  tensor<float> out(shape{rows, cols});
  for (float& v : out) v = float(draw.normal());
  return out;
}

/// Times f and counts the products of `of`.
template <class F>
void measure(benchmark::State& state, const linear& of, F f) {
  f();
  for (auto _ : state) f();
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * double(of.tokens) * double(of.inputs) * double(of.outputs) * double(state.iterations()),
                         benchmark::Counter::kIsRate);
}

/// Each thread has rows of the result, as in cpu/gemm.hpp.
template <class Gemm>
void add_plain(const std::string& who, linear of, int threads, Gemm gemm) {
  const auto add = [&](const char* form, index_t m, index_t k, index_t n, transpose ta, transpose tb) {
    benchmark::RegisterBenchmark((who + "/" + form + "/" + of.name()).c_str(), [=](benchmark::State& state) {
      cpu device(threads);
      const tensor<float> a = ta == transpose::no ? drawn(m, k) : drawn(k, m),
                          b = tb == transpose::no ? drawn(k, n) : drawn(n, k);
      tensor<float> c(shape{m, n});
      measure(state, of, [&] {
        parallel_for(device.threads(), m, 1, [&](index_t begin, index_t end) {
          const view<const float> part =
              ta == transpose::no ? a.matrix().row_range(begin, end - begin) : a.matrix().col_range(begin, end - begin);
          gemm(ta, tb, 1.f, part, b.matrix(), 0.f, c.matrix().row_range(begin, end - begin));
        });
      });
    })->UseRealTime();
  };
  add("forward", of.tokens, of.inputs, of.outputs, transpose::no, transpose::yes);
  add("dx", of.tokens, of.outputs, of.inputs, transpose::no, transpose::no);
  add("dw", of.outputs, of.tokens, of.inputs, transpose::yes, transpose::no);
}

/// prepare(device, op, w) gives the f(x, y) that is timed: y = x op(W).
template <class Prepare>
void add_rounded(const std::string& who, cpu_products how, linear of, int threads, Prepare prepare) {
  if (!backend::products_problem(how).empty()) return;
  for (const transpose tw : {transpose::yes, transpose::no})
    benchmark::RegisterBenchmark((who + (tw == transpose::yes ? "/forward/" : "/dx/") + of.name()).c_str(),
                                 [=](benchmark::State& state) {
                                   cpu device(threads, how);
                                   const cpu::frozen<float> w(device, drawn(of.outputs, of.inputs));
                                   const tensor<float> x =
                                       drawn(of.tokens, tw == transpose::yes ? of.inputs : of.outputs);
                                   tensor<float> y(shape{of.tokens, tw == transpose::yes ? of.outputs : of.inputs});
                                   const auto multiply = prepare(device, tw, w);
                                   measure(state, of, [&] { multiply(x.matrix(), y.matrix()); });
                                 })
        ->UseRealTime();
}

/// As programs multiply.
auto frozen_product(cpu& device, transpose tw, const cpu::frozen<float>& w) {
  return [&device, tw, &w](view<const float> x, view<float> y) { frozen_gemm(device, tw, x, w, 0.f, y); };
}

#ifdef MOR1E_ONEDNN
/// By oneDNN, which is another way where the processor has dot products and no tiles.
template <class Operands>
auto onednn_product(cpu& device, transpose tw, const cpu::frozen<float>& w) {
  const auto packed = std::make_shared<backend::detail::onednn::rounded_weight<Operands>>(device, tw, w);
  return [&device, packed](view<const float> x, view<float> y) { packed->multiply(device, x, 0.f, y); };
}
#endif

}  // namespace

int main(int argc, char** argv) {
  device_options options;
  try {
    options = bench::take_device_options(argc, argv);
  } catch (const error& e) {
    std::fprintf(stderr, "gemm: %s\n", e.what());
    return 2;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  constexpr std::pair<index_t, index_t> of_linears[] = {{576, 576}, {576, 192}, {576, 1536}, {1536, 576},
                                                        {576, 32},  {32, 576},  {2048, 5632}};
  for (const index_t tokens : {1, 16, 1600})
    for (const auto& [inputs, outputs] : of_linears) {
      const linear of{tokens, inputs, outputs};
      add_plain("eigen", of, options.threads, [](auto... a) { backend::detail::eigen::gemm<float>(a...); });
#ifdef MOR1E_ONEDNN
      add_plain("onednn", of, options.threads, [](auto... a) { backend::detail::onednn::gemm(a...); });
#endif
      add_rounded("bf16", cpu_products::bf16, of, options.threads, frozen_product);
      add_rounded("int8", cpu_products::int8, of, options.threads, frozen_product);
#ifdef MOR1E_ONEDNN
      using namespace backend::detail;
      if (onednn_rounds(cpu_products::bf16))
        add_rounded("onednn_bf16", cpu_products::bf16, of, options.threads, onednn_product<bf16_operands>);
      if (onednn_rounds(cpu_products::int8))
        add_rounded("onednn_int8", cpu_products::int8, of, options.threads, onednn_product<int8_operands>);
#endif
    }
  benchmark::RunSpecifiedBenchmarks();
}
