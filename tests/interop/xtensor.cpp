#include "mor1e/interop/xtensor.hpp"

#include <doctest/doctest.h>
#include <xtensor/xarray.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xmath.hpp>

#include "mor1e/core/print.hpp"

using namespace mor1e;
using namespace mor1e::interop;

TEST_CASE("a tensor is an xtensor array of its shape on the same memory") {
  tensor<float> cube({2, 1, 3}, {1, 2, 3, 4, 5, 6});
  auto array = as_xtensor(cube);
  CHECK(array.dimension() == 3);
  CHECK(array(1, 0, 2) == 6);
  array(1, 0, 2) = 9;
  CHECK(cube(1, 0, 2) == 9);
  array += 1;
  CHECK(cube(0, 0, 0) == 2);
  const tensor<float>& constant = cube;
  CHECK(xt::sum(as_xtensor(constant))() == 30);
}

TEST_CASE("a view with a stride is mapped, not copied") {
  tensor<float> x{{1, 2, 3}, {4, 5, 6}};
  auto right = as_xtensor(x.matrix().col_range(1, 2));
  right *= 10.f;
  CHECK(x == tensor<float>{{1, 20, 30}, {4, 50, 60}});
  CHECK(xt::sum(as_xtensor(read_only(x).col_range(2, 1)))() == 90);
  CHECK(as_xtensor(x.matrix().row_range(0, 0)).size() == 0);
}

TEST_CASE("arrays and expressions of any order become tensors") {
  const xt::xarray<double> a{{1, 2, 3}, {4, 5, 6}};
  CHECK(to_tensor(a) == tensor<double>{{1, 2, 3}, {4, 5, 6}});
  CHECK(to_tensor(xt::transpose(a) * 2) == tensor<double>{{2, 8}, {4, 10}, {6, 12}});
  CHECK(to_tensor(xt::sum(a, {0})) == tensor<double>({3}, {5, 7, 9}));
  CHECK(to_tensor(xt::sum(a)) == tensor<double>(shape{}, 21));
  const xt::xarray<double, xt::layout_type::column_major> columns = a;
  CHECK(to_tensor(columns) == to_tensor(a));
  CHECK_THROWS_AS(to_tensor(xt::xarray<double>(std::vector<std::size_t>{1, 1, 1, 1, 1})), shape_error);
}

TEST_CASE("docs/tensors.md") {
  tensor<float> x({2, 3}, {1, 2, 3, 4, 5, 6});
  interop::as_xtensor(x) += 1;                                                          // no copy
  const tensor<float> sums = interop::to_tensor(xt::sum(interop::as_xtensor(x), {0}));  // one copy
  CHECK(sums == tensor<float>({3}, {7, 9, 11}));
}
