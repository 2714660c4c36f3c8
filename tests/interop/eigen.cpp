#include "mor1e/interop/eigen.hpp"

#include <doctest/doctest.h>

#include "mor1e/core/print.hpp"

using namespace mor1e;
using namespace mor1e::interop;

using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

TEST_CASE("a tensor is an Eigen matrix on the same memory") {
  tensor<float> x{{1, 2, 3}, {4, 5, 6}};
  auto m = as_eigen(x);
  CHECK(m.data() == x.data());
  CHECK(m.rows() == 2);
  CHECK(m.cols() == 3);
  m(1, 2) = 9;
  CHECK(x(1, 2) == 9);
  const tensor<float>& constant = x;
  static_assert(std::is_same_v<decltype(as_eigen(constant).data()), const float*>);
  CHECK(as_eigen(constant).sum() == 24);
  CHECK(as_eigen(tensor<float>({3}, 1).matrix()).rows() == 1);
}

TEST_CASE("a view with a stride is mapped, not copied") {
  tensor<float> x{{1, 2, 3}, {4, 5, 6}};
  auto right = as_eigen(x.matrix().col_range(1, 2));
  right *= 10;
  CHECK(x == tensor<float>{{1, 20, 30}, {4, 50, 60}});
  CHECK(as_eigen(read_only(x).col_range(2, 1)).sum() == 90);
}

TEST_CASE("products are written in place") {
  const tensor<float> x{{1, 2}, {3, 4}}, w{{1, 0}, {1, 1}, {0, 2}};
  tensor<float> y({2, 3});
  as_eigen(y).noalias() = as_eigen(x) * as_eigen(w).transpose();
  CHECK(y == tensor<float>{{1, 3, 4}, {3, 7, 8}});
}

TEST_CASE("row-major matrices, vectors, blocks and maps of Eigen are views on the same memory") {
  row_major m(2, 3);
  m << 1, 2, 3, 4, 5, 6;
  const view<float> all = as_view(m);
  CHECK(all.data == m.data());
  CHECK(all(1, 0) == 4);
  const row_major& constant = m;
  static_assert(std::is_same_v<decltype(as_view(constant)), view<const float>>);
  const auto block = as_view(m.block(0, 1, 2, 2));
  static_assert(std::is_same_v<decltype(as_view(m.block(0, 1, 2, 2))), view<float>>);
  CHECK(block.stride == 3);
  block(1, 1) = 0;
  CHECK(m(1, 2) == 0);
  Eigen::VectorXd v(3);
  v << 1, 2, 3;
  CHECK(as_view(v).rows == 1);
  CHECK(as_view(v)(0, 2) == 3);
  tensor<float> x{{1, 2}};
  CHECK(as_view(as_eigen(x)).data == x.data());
}

TEST_CASE("matrices and expressions of any order become tensors") {
  Eigen::MatrixXf column_major(2, 3);
  column_major << 1, 2, 3, 4, 5, 6;
  CHECK(to_tensor(column_major) == tensor<float>{{1, 2, 3}, {4, 5, 6}});
  CHECK(to_tensor(column_major.transpose() * 2) == tensor<float>{{2, 8}, {4, 10}, {6, 12}});
  CHECK(to_tensor(column_major.array() + 1) == tensor<float>{{2, 3, 4}, {5, 6, 7}});
  CHECK(to_tensor(column_major * column_major.transpose()) == tensor<float>{{14, 32}, {32, 77}});
  CHECK(to_tensor(column_major.rowwise().sum()) == tensor<float>({2}, {6, 15}));
  CHECK(to_tensor(column_major.row(1)) == tensor<float>({3}, {4, 5, 6}));
  CHECK(to_tensor(Eigen::MatrixXi(0, 3)).extents() == shape{0, 3});
  const Eigen::Matrix<double, 1, 1> one(2.5);
  CHECK(to_tensor(one) == tensor<double>({1}, {2.5}));
}
