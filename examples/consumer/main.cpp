// consumer [cpu|cuda]: d/dx of the sum of x^3, by an op of one's own.
#include <cstdio>
#include <string>

#include "cube_op.hpp"
#include "mor1e/backend/with_device.hpp"
#include "mor1e/ops/sum.hpp"

using namespace mor1e;

int main(int argc, char** argv) {
  try {
    return with_device({.backend = argc > 1 ? argv[1] : "cpu"}, []<class B>(B& device) {
      tape<B> t(device);
      const tensor<float> values(shape{1, 3}, {1, 2, 3});
      const auto x = t.template input<float>(values.matrix(), true);
      t.backward(ops::sum(t, t.template apply<cube_op, float>({}, {x})));
      const tensor<float> slope = t.gradient(x);
      std::printf("%g %g %g\n", double(slope[0]), double(slope[1]), double(slope[2]));
      return slope[0] == 3 && slope[1] == 12 && slope[2] == 27 ? 0 : 1;
    });
  } catch (const error& e) {
    std::fprintf(stderr, "consumer: %s\n", e.what());
    return 1;
  }
}
