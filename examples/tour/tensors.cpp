// Tensors in host memory: make, index, print, compare, copy, view, hand to Eigen, store. docs/tensors.md quotes it.
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <utility>
#include <vector>

#include "mor1e/core/compare.hpp"
#include "mor1e/core/print.hpp"
#include "mor1e/interop/eigen.hpp"
#include "mor1e/io/npy.hpp"

using namespace mor1e;

template <Readable Values>
double mean(const Values& values) {
  const view<const element_of<Values>> x = read_only(values);
  double sum = 0;
  for (index_t i = 0; i < x.rows; ++i)
    for (index_t j = 0; j < x.cols; ++j) sum += x(i, j);
  return sum / double(x.size());
}

template <class T>
void add_scaled(view<T> to, double factor, const_view<T> values) {
  for (index_t i = 0; i < to.rows; ++i)
    for (index_t j = 0; j < to.cols; ++j) to(i, j) += T(factor) * values(i, j);
}

int main() {
  const tensor<float> w{{1, 2, 3}, {4, 5, 6}};        // braces: these elements, 2 x 3
  tensor<float> x({4, 3});                            // parentheses: a shape; uninitialised memory
  const tensor<float> ones({4, 3}, 1);                // filled
  const tensor<std::int32_t> labels({3}, {7, 0, 7});  // a vector: its shape, then its elements
  const std::vector<float> known{1, 2, 3, 4, 5, 6};
  const tensor<float> cube({2, 1, 3}, known);  // a copy of values that stand row by row

  for (index_t i = 0; i < x.extents()[0]; ++i)
    for (index_t j = 0; j < x.extents()[1]; ++j) x(i, j) = float(i) - float(j) / 4;
  x[0] = 10;        // the first element, row by row
  x.at(3, 2) = -1;  // checked: throws for an index that is out of range

  std::cout << x << '\n';
  std::cout << std::setprecision(3) << tensor<double>({4096, 576}, 2.0 / 3) << '\n';

  tensor<float> y = x.clone();
  bool right = x == y && x != ones && cube(1, 0, 2) == 6 && labels[1] == 0;
  y(0, 0) += 0.001f;
  right &= all_close(y, x, 1e-3, 0);  // |y - x| <= relative |x| + absolute
  right &= max_abs_difference(y, x) < 0.002;

  const tensor<float> moved = std::move(y);  // y is empty now

  const view last = read_only(x).row_range(2, 2);  // rows 2 and 3
  view middle = x.matrix().col_range(1, 1);        // column 1, as 4 x 1
  middle(0, 0) = 7;                                // writes x(0, 1)
  std::cout << last << '\n' << mean(x) << ' ' << mean(middle) << '\n';
  add_scaled(middle, 0.5, x.matrix().col_range(2, 1));

  tensor<float> z({4, 2});
  interop::as_eigen(z).noalias() = interop::as_eigen(x) * interop::as_eigen(w).transpose();
  const tensor<float> norms = interop::to_tensor(interop::as_eigen(z).rowwise().norm());
  std::cout << norms << '\n';

  const auto file = std::filesystem::temp_directory_path() / "mor1e-tour.npy";
  io::write_npy(file, z);  // numpy.load(file)
  const tensor<float> again = io::read_npy<float>(file);
  right &= again == z;
  std::filesystem::remove(file);

  try {
    tensor<float> wrong({2, 2}, known);
  } catch (const shape_error& e) {
    std::cout << e.what() << '\n';
  }
  return right && moved.size() == 12 ? 0 : 1;
}
