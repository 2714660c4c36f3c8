#include "mor1e/core/tensor.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "mor1e/core/print.hpp"

using namespace mor1e;

namespace {

// How a template takes what it only reads: by concept where the element type is to be deduced, ...
template <Readable Values>
double sum(const Values& values) {
  const view<const element_of<Values>> rows = read_only(values);
  double out = 0;
  for (index_t i = 0; i < rows.rows; ++i)
    for (index_t j = 0; j < rows.cols; ++j) out += double(rows(i, j));
  return out;
}
// ... and as a const_view where another argument has named it.
template <class T>
T dot(const std::vector<T>& weights, const_view<T> values) {
  T out = 0;
  for (index_t i = 0; i < values.size(); ++i) out += weights[std::size_t(i)] * values[i];
  return out;
}

}  // namespace

TEST_CASE("a tensor of rank 0 has one element, an empty one none, and a clone is what it was made from") {
  const tensor<float> none;
  CHECK(none.empty());
  CHECK(none.clone().empty());
  const tensor<float> scalar(shape{}, 3);
  CHECK(scalar.size() == 1);
  CHECK(scalar.clone()[0] == 3);
  CHECK(scalar() == 3);
  tensor<int> matrix({2, 3}, 7);
  tensor<int> copy = matrix.clone();
  copy[5] = 1;
  CHECK(matrix[5] == 7);
  CHECK(copy.extents() == shape{2, 3});
}

TEST_CASE("parentheses take a shape, braces take elements") {
  CHECK(tensor<float>({8, 64}).extents() == shape{8, 64});
  CHECK(tensor<float>({3}).extents() == shape{3});
  CHECK(tensor<float>({3}, 2) == tensor<float>({3}, {2, 2, 2}));

  const tensor<float> matrix{{1, 2, 3}, {4, 5, 6}};
  CHECK(matrix.extents() == shape{2, 3});
  CHECK(matrix[2] == 3);
  CHECK(matrix[3] == 4);
  CHECK(tensor<float>{{8, 64}}.extents() == shape{1, 2});
  CHECK(tensor<float>{{8}, {64}}.extents() == shape{2, 1});
  CHECK_THROWS_WITH_AS((tensor<float>{{1, 2}, {3, 4}, {5}}), "tensor: row 2 has 1 elements, row 0 has 2", shape_error);
}

TEST_CASE("values are copied in, as many as the shape holds") {
  std::vector<double> values{1, 2, 3, 4, 5, 6};
  const tensor<double> cube({1, 2, 3}, values);
  values[5] = 0;
  CHECK(cube[5] == 6);
  CHECK(tensor<double>({2, 2}, std::span<const double>(cube).first(4)) == tensor<double>{{1, 2}, {3, 4}});
  CHECK_THROWS_WITH_AS(tensor<double>({2, 4}, values), "tensor: 6 values for [2, 4], which holds 8", shape_error);
  // One value in braces is a list of one, not a fill.
  CHECK_THROWS_WITH_AS(tensor<double>({3}, {5}), "tensor: 1 values for [3], which holds 3", shape_error);
  // Refused before any memory is asked for.
  CHECK_THROWS_AS(tensor<double>({index_t(1) << 40}, values), shape_error);
}

TEST_CASE("an index for each axis") {
  tensor<int> cube({2, 3, 4});
  for (index_t i = 0; i < cube.size(); ++i) cube[i] = int(i);
  CHECK(cube(1, 2, 3) == 23);
  CHECK(cube(0, 1, 0) == 4);
  cube(1, 0, 2) = -1;
  CHECK(cube[14] == -1);
  CHECK(tensor<int>({3}, {1, 2, 3})(2) == 3);

  const tensor<int> matrix{{1, 2}, {3, 4}};
  CHECK(matrix(1, 0) == 3);
  CHECK(matrix.at(1, 0) == 3);
  cube.at(0, 0, 0) = 9;
  CHECK(cube[0] == 9);
  CHECK_THROWS_WITH_AS(matrix.at(2, 0), "tensor: index 2 of axis 0 is outside [2, 2]", value_error);
  CHECK_THROWS_WITH_AS(matrix.at(0, -1), "tensor: index -1 of axis 1 is outside [2, 2]", value_error);
  CHECK_THROWS_WITH_AS(matrix.at(1), "tensor: 1 indices for [2, 2]", shape_error);
}

TEST_CASE("equality is of shape and elements") {
  const tensor<float> a{{1, 2}, {3, 4}};
  CHECK(a == a.clone());
  CHECK(a != tensor<float>{{1, 2}, {3, 5}});
  CHECK(a != tensor<float>({4}, {1, 2, 3, 4}));
  CHECK(tensor<float>() == tensor<float>());
  CHECK(tensor<float>() != tensor<float>(shape{}, 0));
}

TEST_CASE("views of rows and columns share their memory") {
  tensor<int> values({3, 4}, 0);
  view<int> m = values;
  m.col_range(1, 2).row_range(1, 1)(0, 1) = 5;
  CHECK(m(1, 2) == 5);
  CHECK(m.col_range(1, 2).stride == 4);
  CHECK_FALSE(m.col_range(1, 2).contiguous());
}

TEST_CASE("a tensor and a view, constant or not, are taken where values are only read") {
  tensor<float> x{{1, 2}, {3, 4}};
  const tensor<float>& constant = x;
  view rows = x;
  view read = constant;
  static_assert(std::is_same_v<decltype(rows), view<float>>);
  static_assert(std::is_same_v<decltype(read), view<const float>>);
  static_assert(std::is_same_v<decltype(read_only(x)), view<const float>>);
  static_assert(std::is_same_v<decltype(read_only(rows)), view<const float>>);
  static_assert(std::is_same_v<element_of<view<const float>>, float>);
  static_assert(Readable<tensor<int>> && Readable<view<int>> && !Readable<std::vector<int>>);

  CHECK(sum(x) == 10);
  CHECK(sum(constant) == 10);
  CHECK(sum(rows.col_range(1, 1)) == 6);
  CHECK(sum(read) == 10);

  const std::vector<float> weights{1, 10, 100, 1000};
  CHECK(dot(weights, x) == 4321);
  CHECK(dot(weights, constant) == 4321);
  CHECK(dot(weights, rows) == 4321);
  CHECK(dot(weights, read) == 4321);
}
