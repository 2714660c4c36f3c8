// Clustering of embeddings: ten iterations of Lloyd's, and the seeding.
//
//     kmeans --benchmark_filter=lloyd --benchmark_repetitions=7
#include "mor1e/cluster/kmeans.hpp"

#include <utility>

#include <benchmark/benchmark.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/rng.hpp"

using namespace mor1e;

namespace {

tensor<float> random_points(index_t n, index_t d) {
  rng random(1);
  tensor<float> points({n, d});
  for (float& value : points) value = float(random.normal());
  return points;
}

/// points [n, d], k clusters, threads
void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"n", "d", "k", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const int threads : {1, 2}) b->Args({20'000, 768, 32, threads});
}

/// Ten iterations, which these points do not converge in, and the labels and distances at the end.
void lloyd(benchmark::State& state) {
  cpu device(int(state.range(3)));
  const auto points = random_points(state.range(0), state.range(1));
  const auto start = std::as_const(points).matrix().row_range(0, state.range(2));
  constexpr int iterations = 10;
  for (auto _ : state) benchmark::DoNotOptimize(cluster::lloyd<float>(device, points, start, iterations).inertia);
}
BENCHMARK(lloyd)->Apply(sizes);

void seeding(benchmark::State& state) {
  cpu device(int(state.range(3)));
  const auto points = random_points(state.range(0), state.range(1));
  for (auto _ : state)
    benchmark::DoNotOptimize(cluster::kmeans_plus_plus<float>(device, points, state.range(2), 1).data());
}
BENCHMARK(seeding)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
