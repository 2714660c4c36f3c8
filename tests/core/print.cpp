#include "mor1e/core/print.hpp"

#include <iomanip>

#include <doctest/doctest.h>

using namespace mor1e;

TEST_CASE("a small tensor is printed whole, its columns aligned") {
  CHECK(text(tensor<float>{{1, -2.5}, {1234.5, 0}}) ==
        "float32 [2, 2]\n"
        "       1  -2.5\n"
        "  1234.5     0");
  CHECK(text(tensor<std::int64_t>({3}, {1, 20, 3})) == "int64 [3]\n  1  20  3");
  CHECK(text(tensor<std::uint8_t>({2}, {65, 0})) == "uint8 [2]\n  65  0");
  CHECK(text(tensor<double>(shape{}, 0.5)) == "float64 []\n  0.5");
  CHECK(text(tensor<float>(shape{0, 3})) == "float32 [0, 3]");
  CHECK(text(tensor<float>()) == "float32 [0]");
}

TEST_CASE("of many rows and columns the ends are printed") {
  tensor<std::int32_t> wide({9, 100});
  for (index_t i = 0; i < wide.size(); ++i) wide[i] = std::int32_t(i);
  CHECK(text(wide) ==
        "int32 [9, 100]\n"
        "    0    1    2  ...   97   98   99\n"
        "  100  101  102  ...  197  198  199\n"
        "  200  201  202  ...  297  298  299\n"
        "  ...  ...  ...  ...  ...  ...  ...\n"
        "  600  601  602  ...  697  698  699\n"
        "  700  701  702  ...  797  798  799\n"
        "  800  801  802  ...  897  898  899");
  const std::string eight = text(tensor<std::int32_t>({8, 8}, 1));
  CHECK(eight.find("...") == std::string::npos);
}

TEST_CASE("a view is printed as the matrix it is, a higher rank in blocks") {
  tensor<std::int32_t> cube({2, 2, 2});
  for (index_t i = 0; i < cube.size(); ++i) cube[i] = std::int32_t(i);
  CHECK(text(cube) == "int32 [2, 2, 2]\n  0  1\n  2  3\n\n  4  5\n  6  7");
  CHECK(text(cube.matrix().col_range(1, 1)) == "int32 [4, 1]\n  1\n  3\n  5\n  7");
  CHECK(text(read_only(cube).row_range(1, 1)) == "int32 [1, 2]\n  2  3");
}

TEST_CASE("the stream says how numbers are written") {
  std::ostringstream out;
  out << std::setw(20) << std::fixed << std::setprecision(2) << tensor<float>{{1, 2.345f}};
  CHECK(out.str() == "float32 [1, 2]\n  1.00  2.35");
}

TEST_CASE("doctest shows the tensors that differ") {
  CHECK(doctest::toString(tensor<float>{{1, 2}}) == doctest::String("float32 [1, 2]\n  1  2"));
}
