// What processes exchange, threads in their place.
#include <cmath>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/core/rng.hpp"
#include "mor1e/distributed/parameters.hpp"
#include "mor1e/testing/thread_group.hpp"

using namespace mor1e;
using distributed::process_group;

namespace {

/// What process `index` adds, of a size that no number of processes divides.
std::vector<float> values_of(int index) {
  rng draw(std::uint64_t(index) + 1);
  std::vector<float> out(1009);
  for (float& v : out) v = float(draw.normal() * std::exp(3 * draw.normal()));
  return out;
}

/// One result a process.
template <class F>
auto of_each(int size, const F& f) {
  std::vector<decltype(f(distributed::alone()))> out(static_cast<std::size_t>(size));
  testing::in_threads(size, [&](process_group& group) { out[std::size_t(group.index())] = f(group); });
  return out;
}

}  // namespace

TEST_CASE("a sum is that of all processes in the order of the processes, the same bits for all") {
  for (const int size : {1, 2, 3, 5}) {
    std::vector<float> expected = values_of(0);
    for (int r = 1; r < size; ++r) {
      const std::vector<float> more = values_of(r);
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += more[i];
    }
    const auto sums = of_each(size, [](process_group& group) {
      distributed::summation<float> sum(group);
      std::vector<float> out;
      for (int twice = 0; twice < 2; ++twice) {  // nothing of the first is left in the second
        const std::vector<float> mine = values_of(group.index());
        std::copy(mine.begin(), mine.end(), sum.begin(mine.size()).begin());
        const std::span<const float> all = sum.finish();
        out.assign(all.begin(), all.end());
      }
      return out;
    });
    for (const auto& sum : sums) CHECK(std::memcmp(sum.data(), expected.data(), expected.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("fewer values than processes, and none, are summed") {
  const auto sums = of_each(4, [](process_group& group) {
    double one = group.index() + 1, two = 10;
    double* const both[] = {&one, &two};
    distributed::add_up(group, both);
    distributed::add_up(group, {});
    return std::vector<double>{one, two};
  });
  for (const auto& sum : sums) CHECK(sum == std::vector<double>{10, 40});
}

TEST_CASE("what process 0 has becomes that of all, matrices of any size too") {
  const auto matrices = of_each(3, [](process_group& group) {
    tensor<float> some, none(shape{2, 2}, 1.f);
    if (group.leads()) some = tensor<float>(shape{2, 3}, 7.f), none = tensor<float>();
    distributed::broadcast(group, some);
    distributed::broadcast(group, none);
    CHECK(none.size() == 0);
    return some;
  });
  for (const auto& got : matrices) {
    CHECK(got.extents() == shape{2, 3});
    CHECK(got(1, 2) == 7.f);
  }
}

TEST_CASE("gathered values come in the order of the processes") {
  const auto all = of_each(3, [](process_group& group) {
    const int mine[] = {group.index(), 10 * group.index()};
    distributed::wait_for_all(group);
    return distributed::gathered(group, std::span<const int>(mine));
  });
  for (const auto& got : all) CHECK(got == std::vector<int>{0, 0, 1, 10, 2, 20});
}

TEST_CASE("gradients of all parameters are added up, and parameters that differ are noticed") {
  testing::in_threads(3, [&](process_group& group) {
    cpu device(1);
    param<cpu, float> a(device, "a", tensor<float>(shape{2, 2}, 1.f)), b(device, "b", tensor<float>(shape{3}, 2.f));
    const std::vector<param<cpu, float>*> both{&a, &b};
    distributed::gradient_sum<cpu, float> sum(group, both);
    a.gradient.fill(float(group.index()));
    b.gradient.fill(10.f);
    sum.add_up();
    distributed::require_same(group, both);
    CHECK(a.read_gradient()(1, 1) == 3.f);
    CHECK(b.read_gradient()[2] == 30.f);
  });
  testing::in_threads(3, [&](process_group& group) {
    cpu device(1);
    param<cpu, float> a(device, "a", tensor<float>(shape{2}, group.index() == 2 ? std::nextafter(1.f, 2.f) : 1.f));
    std::string said;
    try {
      distributed::require_same(group, std::vector{&a});
    } catch (const error& e) {
      said = e.what();
    }
    CHECK(said.find("process 2 of 3 has other parameters than process 0") == 0);
  });
}
