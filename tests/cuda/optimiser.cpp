// The optimiser and the gradients that it reads on the CUDA back end.
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
  std::vector<view_of<B, float>> gradients() {
    std::vector<view_of<B, float>> all;
    each([&](index_t begin, index_t size) { all.push_back(gradient.matrix().col_range(begin, size)); });
    return all;
  }
  tensor<std::int32_t> update(const backend::adam_step& step, view_of<B, const double> norm = {}) {
    std::vector<backend::adam_tensor<view_of<B, float>>> tensors;
    each([&](index_t begin, index_t size) {
      const auto part = [&](array<B, float>& of) { return of.matrix().col_range(begin, size); };
      const double scale = tensors.size() % 2 ? 0.5 : 1;
      tensors.push_back({part(value), part(gradient), part(first), part(second), scale, tensors.size() % 3 != 1});
    });
    array<B, std::int32_t> finite(device, shape{index_t(sizes.size())});
    adam_update(device, std::span<const backend::adam_tensor<view_of<B, float>>>(tensors), step, norm, finite.matrix());
    return finite.read();
  }
  tensor<double> squares() {
    const std::vector<view_of<B, float>> all = gradients();
    array<B, double> y(device, shape{index_t(sizes.size())});
    square_sums(device, std::span<const view_of<B, float>>(all), y.matrix());
    return y.read();
  }
  double clip(double max_norm) {
    const std::vector<view_of<B, float>> all = gradients();
    const array<B, double> of_tensor(device, squares());
    array<B, double> norm(device, shape{1, 1});
    clip_tensors(device, max_norm, of_tensor.matrix(), std::span<const view_of<B, float>>(all), norm.matrix());
    return norm.read()[0];
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

TEST_CASE("Adam on CUDA: under a norm that is not finite nothing moves") {
  cuda device({.host_threads = 1});
  tensors_of<cuda> tensors(device, sizes, total);
  const tensor<float> value = tensors.value.read(), first = tensors.first.read(), second = tensors.second.read();
  array<cuda, double> norm(device, shape{1, 1}, std::numeric_limits<double>::quiet_NaN());
  const array<cuda, double>& read = norm;
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    norm.fill(bad);
    for (const std::int32_t good : tensors.update({.learning_rate = 0.1}, read.matrix())) CHECK(good == 1);
    CHECK(tensors.value.read() == value);
    CHECK(tensors.first.read() == first);
    CHECK(tensors.second.read() == second);
  }
  norm.fill(1);
  tensors.update({.learning_rate = 0.1}, read.matrix());
  CHECK(tensors.value.read() != value);
}

TEST_CASE("gradients on CUDA: all tensors are cleared, and nothing beside them") {
  cuda device({.host_threads = 1});
  const std::vector<index_t> some(sizes.begin(), sizes.end() - 1);
  tensors_of<cuda> tensors(device, some, total);
  const tensor<float> before = tensors.gradient.read();
  const auto all = tensors.gradients();
  clear_tensors(device, std::span<const device_view<float>>(all));
  const tensor<float> after = tensors.gradient.read();
  for (index_t i = 0; i < total; ++i) REQUIRE(after[i] == (i < total - sizes.back() ? 0 : before[i]));
  clear_tensors(device, std::span<const device_view<float>>());
}

TEST_CASE("gradients on CUDA: the norm of all, and a scale where it is too large") {
  cuda device({.host_threads = 1});
  reference oracle;
  for (const double max_norm : {0., 1e-3, 7., 1e6}) {
    CAPTURE(max_norm);
    tensors_of<cuda> ours(device, sizes, total);
    tensors_of<reference> theirs(oracle, sizes, total);
    // 20,208 additions in another order, and a root, which halves what they differ by.
    CHECK(ours.clip(max_norm) == doctest::Approx(theirs.clip(max_norm)).epsilon(total * 0x1p-53));
    check_close(ours.gradient, theirs.gradient);
    CHECK((ours.gradient.read() == tensors_of<cuda>(device, sizes, total).gradient.read()) ==
          (max_norm == 0 || max_norm == 1e6));
  }
  tensors_of<cuda> bad(device, sizes, total);
  bad.gradient.fill(std::numeric_limits<float>::quiet_NaN());
  CHECK(std::isnan(bad.clip(1)));
  tensors_of<cuda> empty(device, {0}, 1);
  CHECK(empty.clip(1e-9) == 0);
}

TEST_CASE("a table in memory of the device is where it was while it is asked for, and holds what was given") {
  cuda device({.host_threads = 1});
  const auto table_of = [&](int number) {
    const std::vector<int> entries{number, 7};
    const int* at = device.table(std::span<const int>(entries));
    int there[2];
    device.download(there, at, sizeof(there));
    CHECK(there[0] == number);
    CHECK(there[1] == 7);
    return at;
  };
  const int* one = table_of(1);
  for (int number = 2; number < 40; ++number) {
    table_of(number);
    CHECK(table_of(1) == one);
  }
}
