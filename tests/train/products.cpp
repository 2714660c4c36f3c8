// A step whose frozen base is multiplied in bf16 or int8 is nearly that of fp32, and the same however it is laid out.
#include <cmath>
#include <string>

#include <doctest/doctest.h>

#include "train/small_step.hpp"

using namespace mor1e;
using namespace mor1e::testing::small_step;

namespace {

/// |a - b| / |b| over all gradients.
double distance(const outcome<float>& a, const outcome<float>& b) {
  double apart = 0, length = 0;
  REQUIRE(a.gradients.size() == b.gradients.size());
  for (std::size_t i = 0; i < a.gradients.size(); ++i)
    for (index_t j = 0; j < a.gradients[i].size(); ++j) {
      const double x = a.gradients[i].data()[j], y = b.gradients[i].data()[j];
      apart += (x - y) * (x - y), length += y * y;
    }
  return std::sqrt(apart / length);
}

template <class Method>
void check_products(const Method& method) {
  cpu plain(2);
  const auto all = examples();
  const std::vector<index_t> every{0, 1, 2, 3, 4, 5};
  const outcome<float> expected = run<float>(plain, method, {pack_these(all, every)});
  for (const cpu_products how : {cpu_products::bf16, cpu_products::int8}) {
    if (const std::string problem = backend::products_problem(how); !problem.empty()) {
      MESSAGE("not tested: ", problem);
      continue;
    }
    CAPTURE(int(how));
    cpu device(2, how), alone(1, how);
    const outcome<float> ours = run<float>(device, method, {pack_these(all, every)});
    CHECK(ours.loss != expected.loss);
    CHECK(ours.loss == doctest::Approx(expected.loss).epsilon(how == cpu_products::int8 ? 1e-2 : 2e-3));
    CHECK(distance(ours, expected) < (how == cpu_products::int8 ? 0.12 : 0.02));
    // A value between two steps is rounded to either: the last bit of a sum, which depends on the layout, decides.
    check_close(run<float>(device, method, {pack_these(all, every, 1)}), ours, 5e-3);
    check_close(run<float>(alone, method, {pack_these(all, {0, 1, 2}), pack_these(all, {3, 4, 5})}), ours, 5e-3);
    check_close(run<float>(device, method, {pack_these(all, every)}, {.recompute = true}), ours, 5e-3);
    CHECK(same_bits(run<float>(device, method, {pack_these(all, every)}), ours));
  }
}

}  // namespace

TEST_CASE("a step with a rounded base, LoRA") { check_products(lora); }
TEST_CASE("a step with a rounded base, MoR1E") { check_products(mixture); }
