// The optimiser's sweeps on the CUDA back end.
#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cuda.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/testing/golden.hpp"
#include "mor1e/testing/random.hpp"

using namespace mor1e;

namespace {

/// Tensors of an update that lie one after another in four arrays, so that some begin where no vector may.
template <class B>
struct tensors_of {
  B& device;
  std::vector<index_t> sizes;
  array<B, float> value, gradient, first, second;

  tensors_of(B& device, std::vector<index_t> sizes, index_t total)
      : device(device),
        sizes(std::move(sizes)),
        value(device, testing::random<float>(shape{total}, 1)),
        gradient(device, testing::random<float>(shape{total}, 2)),
        first(device, testing::random<float>(shape{total}, 3)),
        second(device, testing::random<float>(shape{total}, 4, 0, 1)) {}

  template <class F>
  void each(const F& f) {
    index_t begin = 0;
    for (std::size_t i = 0; i < sizes.size(); begin += sizes[i++]) f(begin, sizes[i]);
  }
  tensor<std::int32_t> update(const backend::adam_step& step) {
    std::vector<backend::adam_tensor<view_of<B, float>>> tensors;
    each([&](index_t begin, index_t size) {
      const auto part = [&](array<B, float>& of) { return of.matrix().col_range(begin, size); };
      const double scale = tensors.size() % 2 ? 0.5 : 1;
      tensors.push_back({part(value), part(gradient), part(first), part(second), scale, tensors.size() % 3 != 1});
    });
    array<B, std::int32_t> finite(device, shape{index_t(sizes.size())});
    adam_update(device, std::span<const backend::adam_tensor<view_of<B, float>>>(tensors), step, finite.matrix());
    return finite.read();
  }
  tensor<double> squares() {
    std::vector<view_of<B, float>> gradients;
    each([&](index_t begin, index_t size) { gradients.push_back(gradient.matrix().col_range(begin, size)); });
    array<B, double> y(device, shape{index_t(sizes.size())});
    square_sums(device, std::span<const view_of<B, float>>(gradients), y.matrix());
    return y.read();
  }
};

const std::vector<index_t> sizes{1, 3, 4096, 4, 4097, 12'000, 7};
constexpr index_t total = 20'208;

void check_close(const array<cuda, float>& ours, const array<reference, float>& theirs) {
  const tensor<float> a = ours.read(), b = theirs.read();
  CHECK(testing::violation(a.data(), b.data(), a.size(), {.mtol = 1e-6}) == "");
}

}  // namespace

TEST_CASE("Adam on CUDA: several updates of tensors of all sizes agree with the reference") {
  for (bool decoupled : {true, false}) {
    CAPTURE(decoupled);
    cuda device({.host_threads = 1});
    reference oracle;
    tensors_of<cuda> ours(device, sizes, total);
    tensors_of<reference> theirs(oracle, sizes, total);
    for (int t = 1; t <= 3; ++t) {
      const backend::adam_step step{.t = t, .learning_rate = 0.01, .weight_decay = 0.1, .decoupled = decoupled};
      CHECK(ours.update(step) == theirs.update(step));
    }
    check_close(ours.value, theirs.value);
    check_close(ours.first, theirs.first);
    check_close(ours.second, theirs.second);
  }
}

TEST_CASE("Adam on CUDA: a tensor that is not finite is named, and no other") {
  cuda device({.host_threads = 1});
  tensors_of<cuda> tensors(device, sizes, total);
  const float bad = std::numeric_limits<float>::quiet_NaN();
  tensors.gradient.write(4104 + 4000, view<const float>(&bad, 1, 1));  // in the fifth
  const tensor<std::int32_t> finite = tensors.update({.learning_rate = 0.01});
  for (index_t i = 0; i < finite.size(); ++i) CHECK(finite[i] == (i == 4 ? 0 : 1));
  CHECK(std::isnan(tensors.squares()[4]));
}

TEST_CASE("square sums on CUDA: in double, the same bits every time") {
  cuda device({.host_threads = 1});
  reference oracle;
  tensors_of<cuda> ours(device, sizes, total);
  tensors_of<reference> theirs(oracle, sizes, total);
  const tensor<double> y = ours.squares(), expected = theirs.squares();
  // 12,000 additions in another order: each may round by 2^-53 of the sum.
  for (index_t i = 0; i < y.size(); ++i) CHECK(y[i] == doctest::Approx(expected[i]).epsilon(12'000 * 0x1p-53));
  CHECK(ours.squares() == y);
  tensors_of<cuda> none(device, {}, 1);
  none.squares();
  none.update({.learning_rate = 1});
  tensors_of<cuda> empty(device, {0, 2}, 2);
  CHECK(empty.squares()[0] == 0);
  CHECK(empty.update({.learning_rate = 0.1})[0] == 1);
}
