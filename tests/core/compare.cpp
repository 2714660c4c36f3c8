#include "mor1e/core/compare.hpp"

#include <limits>

#include <doctest/doctest.h>

using namespace mor1e;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity(),
                 not_a_number = std::numeric_limits<double>::quiet_NaN();
}

TEST_CASE("close is within absolute + relative |b|, b being the reference") {
  const tensor<double> b{{100, 0}};
  CHECK(all_close(tensor<double>{{101, 0}}, b, 0.01, 0));
  CHECK_FALSE(all_close(tensor<double>{{101.5, 0}}, b, 0.01, 0));
  CHECK(all_close(tensor<double>{{101.5, 0}}, b, 0.01, 0.5));
  CHECK_FALSE(all_close(tensor<double>{{100, 1e-300}}, b, 0.01, 0));
  CHECK(all_close(tensor<double>{{0, 100}}, tensor<double>{{1, 100}}, 1, 0));
  CHECK_FALSE(all_close(tensor<double>{{1, 100}}, tensor<double>{{0, 100}}, 1, 0));
}

TEST_CASE("infinities are close to themselves alone, NaN to nothing") {
  const tensor<double> b{{infinity, 1}};
  CHECK(all_close(b, b, 0, 0));
  CHECK_FALSE(all_close(tensor<double>{{1, 1}}, b, 0.1, 0.1));
  CHECK_FALSE(all_close(tensor<double>{{-infinity, 1}}, b, 0.1, 0.1));
  CHECK_FALSE(all_close(tensor<double>{{not_a_number}}, tensor<double>{{not_a_number}}, 1, 1));
  CHECK(max_abs_difference(b, b) == 0);
  CHECK(max_abs_difference(tensor<double>{{1, 1}}, b) == infinity);
  CHECK(std::isnan(max_abs_difference(tensor<double>{{not_a_number, 9}}, b)));
}

TEST_CASE("shapes of tensors have to agree; a view is a matrix") {
  const tensor<float> row({2}, {1, 2}), matrix{{1, 2}};
  CHECK_FALSE(all_close(row, matrix, 1, 1));
  CHECK(all_close(row, matrix.matrix(), 0, 0));
  CHECK_FALSE(all_close(tensor<float>(), tensor<float>(shape{}, 0), 1, 1));
  CHECK_THROWS_WITH_AS(max_abs_difference(row, matrix), "max_abs_difference: [2] and [1, 2]", shape_error);
  CHECK_THROWS_WITH_AS(max_abs_difference(row, matrix.matrix().col_range(0, 1)), "max_abs_difference: [2] and [1, 1]",
                       shape_error);
}

TEST_CASE("the largest difference, of views with a stride and of two types, too") {
  const tensor<float> a{{1, 2, 3}, {4, 5, 6}};
  const tensor<double> b{{2, 3.5}, {5, 5.75}};
  CHECK(max_abs_difference(a.matrix().col_range(1, 2), b) == 0.5);
  CHECK(all_close(b, a.matrix().col_range(1, 2), 0, 0.5));
  CHECK_FALSE(all_close(b, a.matrix().col_range(1, 2), 0, 0.49));
}
