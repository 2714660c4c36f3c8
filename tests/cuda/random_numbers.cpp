// What is drawn on the CUDA back end is what the host draws.
#include <doctest/doctest.h>

#include "mor1e/backend/cuda.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

constexpr index_t rows = 7;

tensor<std::int32_t> numbers(shape extents, std::int32_t factor) {
  tensor<std::int32_t> out(extents);
  for (index_t i = 0; i < out.size(); ++i) out[i] = std::int32_t(i) * factor - 3;
  return out;
}

/// f(device, x, examples, positions, draw, y) for columns [first, first + cols) of wider matrices; returns y.
template <class B, class F>
tensor<float> run(B& on, index_t first, index_t cols, const F& f) {
  const array<B, float> x(on, testing::random<float>(shape{rows, first + cols}, 1));
  const array<B, std::int32_t> examples(on, numbers(shape{rows, 1}, 5)), positions(on, numbers(shape{rows, 1}, 77)),
      draw(on, numbers(shape{1, 2}, 1'000'003));
  array<B, float> y(on, testing::random<float>(shape{rows, first + cols}, 2));
  f(on, x.matrix().col_range(first, cols), examples.matrix(), positions.matrix(), draw.matrix(),
    y.matrix().col_range(first, cols));
  return y.read();
}

}  // namespace

TEST_CASE("dropout on CUDA drops what the host drops") {
  cuda device({.host_threads = 1});
  reference oracle;
  for (double rate : {0.0, 0.1, 0.9})
    for (index_t cols : {1, 6, 64, 130})
      for (index_t first : {0, 3})
        for (float beta : {0.0f, 0.5f}) {
          CAPTURE(rate);
          CAPTURE(cols);
          CAPTURE(first);
          const auto f = [&](auto& on, auto x, auto examples, auto positions, auto draw, auto y) {
            dropout(on, {.rate = rate, .site = 0x123456789abcdefull}, x, examples, positions, draw, beta, y);
          };
          const tensor<float> ours = run(device, first, cols, f), theirs = run(oracle, first, cols, f);
          if (beta == 0) CHECK(ours == theirs);
          // With beta the device may fuse the product and the sum.
          CHECK(testing::violation(ours.data(), theirs.data(), ours.size(), {.mtol = 1e-6}) == "");
        }
}

TEST_CASE("noise on CUDA is that of the host") {
  cuda device({.host_threads = 1});
  reference oracle;
  for (index_t cols : {1, 33}) {
    const auto f = [&](auto& on, auto x, auto examples, auto positions, auto draw, auto y) {
      multiply_noise(on, {.site = 99}, x, examples, positions, draw, 0.0f, y);
    };
    const tensor<float> ours = run(device, 1, cols, f), theirs = run(oracle, 1, cols, f);
    CHECK(testing::violation(ours.data(), theirs.data(), ours.size(), {.mtol = 1e-6}) == "");
  }
}
