// Clustering of embeddings: ten iterations of Lloyd's, and the seeding.
//
//     kmeans --benchmark_filter=lloyd --benchmark_repetitions=7
#include "mor1e/cluster/kmeans.hpp"

#include <cmath>
#include <utility>

#include <benchmark/benchmark.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/rng.hpp"

using namespace mor1e;

namespace {

/// Unit vectors around k places, as embeddings of k kinds of texts are: clusters overlap, but are there.
tensor<float> random_points(index_t n, index_t d, index_t k) {
  rng random(1);
  tensor<float> places({k, d}), points({n, d});
  for (float& value : places) value = float(random.normal());
  for (index_t i = 0; i < n; ++i) {
    const float* place = places.data() + index_t(random.below(k)) * d;
    float* point = points.data() + i * d;
    double square = 0;
    for (index_t c = 0; c < d; ++c) point[c] = place[c] + 1.5f * float(random.normal()), square += point[c] * point[c];
    for (index_t c = 0; c < d; ++c) point[c] = float(point[c] / std::sqrt(square));
  }
  return points;
}

/// points [n, d], k clusters, threads
void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"n", "d", "k", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const int threads : {1, 2}) b->Args({20'000, 768, 32, threads});
}

/// Ten iterations or until the labels repeat, and the labels and distances at the end; `iteration` is the time of one.
void lloyd(benchmark::State& state) {
  cpu device(int(state.range(3)));
  const auto points = random_points(state.range(0), state.range(1), state.range(2));
  const auto start = std::as_const(points).matrix().row_range(0, state.range(2));
  constexpr int iterations = 10;
  int done = 0;
  for (auto _ : state) done = cluster::lloyd<float>(device, points, start, iterations).iterations;
  using benchmark::Counter;
  state.counters["iteration"] = Counter(done, Counter::kIsIterationInvariantRate | Counter::kInvert);
  state.counters["iterations"] = done;
}
BENCHMARK(lloyd)->Apply(sizes);

void seeding(benchmark::State& state) {
  cpu device(int(state.range(3)));
  const auto points = random_points(state.range(0), state.range(1), state.range(2));
  for (auto _ : state)
    benchmark::DoNotOptimize(cluster::kmeans_plus_plus<float>(device, points, state.range(2), 1).data());
}
BENCHMARK(seeding)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
