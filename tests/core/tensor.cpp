#include "mor1e/core/tensor.hpp"

#include <doctest/doctest.h>

using namespace mor1e;

TEST_CASE("a tensor of rank 0 has one element, an empty one none, and a clone is what it was made from") {
  const tensor<float> none;
  CHECK(none.empty());
  CHECK(none.clone().empty());
  const tensor<float> scalar(shape{}, 3);
  CHECK(scalar.size() == 1);
  CHECK(scalar.clone()[0] == 3);
  tensor<int> matrix({2, 3}, 7);
  tensor<int> copy = matrix.clone();
  copy[5] = 1;
  CHECK(matrix[5] == 7);
  CHECK(copy.extents() == shape{2, 3});
}

TEST_CASE("views of rows and columns share their memory") {
  tensor<int> values({3, 4}, 0);
  view<int> m = values;
  m.col_range(1, 2).row_range(1, 1)(0, 1) = 5;
  CHECK(m(1, 2) == 5);
  CHECK(m.col_range(1, 2).stride == 4);
  CHECK_FALSE(m.col_range(1, 2).contiguous());
}
