// The large cases of every op that ops/all.hpp lists:
//
//     ops --benchmark_filter=softmax --threads=2
#include <cstdio>

#include "device.hpp"
#include "ops/cases.hpp"

using namespace mor1e;

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  try {
    const device_options options = bench::take_device_options(argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    with_device(options, []<class B>(B& device) {
      for (const auto add : bench::registrars<B>()) add(device);
      benchmark::RunSpecifiedBenchmarks();
    });
  } catch (const error& e) {
    std::fprintf(stderr, "ops: %s\n", e.what());
    return dynamic_cast<const value_error*>(&e) ? 2 : 1;
  }
  benchmark::Shutdown();
}
