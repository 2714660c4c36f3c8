#include "mor1e/testing/golden.hpp"

#include <limits>
#include <vector>

#include <doctest/doctest.h>

using mor1e::testing::closeness;

namespace {
std::string compare(std::vector<double> ours, std::vector<double> ref, closeness rule = {}) {
  return mor1e::testing::violation(ours.data(), ref.data(), mor1e::index_t(ref.size()), rule);
}
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();
}  // namespace

TEST_CASE("each tolerance counts by itself and they add up") {
  CHECK(compare({1, 2}, {1, 2}) == "");
  CHECK(compare({1, 2.1}, {1, 2}) != "");
  CHECK(compare({1.1}, {1}, {.atol = 0.11}) == "");
  CHECK(compare({1.1}, {1}, {.atol = 0.09}) != "");
  CHECK(compare({11}, {10}, {.rtol = 0.11}) == "");
  CHECK(compare({11}, {10}, {.rtol = 0.09}) != "");
  CHECK(compare({0.5, 100}, {0, 100}, {.mtol = 0.006}) == "");
  CHECK(compare({0.5, 100}, {0, 100}, {.mtol = 0.004}) != "");
  CHECK(compare({11.5, -20}, {10, -20}, {.atol = 0.6, .rtol = 0.05, .mtol = 0.025}) == "");
}

TEST_CASE("what is not finite fails unless it is the same infinity") {
  const closeness loose{.atol = 1e9, .rtol = 1, .mtol = 1};
  CHECK(compare({not_a_number}, {1}, loose) != "");
  CHECK(compare({1}, {not_a_number}, loose) != "");
  CHECK(compare({not_a_number}, {not_a_number}, loose) != "");
  CHECK(compare({inf, 1}, {inf, 1}) == "");
  CHECK(compare({inf}, {-inf}, loose) != "");
  CHECK(compare({1}, {inf}, loose) != "");
  CHECK(compare({inf, 5}, {inf, 1}, {.atol = 1, .mtol = 1}) != "");  // an infinite reference is no scale
}

TEST_CASE("the text names the worst element") {
  CHECK(compare({1, 2.5, 3.25}, {1, 2, 3}) ==
        "2 of 3 differ, most at [1]: ours 2.5, reference 2, difference 0.5, largest reference 3");
  CHECK(compare({1, not_a_number, 300}, {1, 2, 3}).find("most at [1]") != std::string::npos);
}
