// Rows of weights as a file has them, from a tensor.
#pragma once

#include <algorithm>
#include <utility>

#include "mor1e/core/row_source.hpp"
#include "mor1e/core/tensor.hpp"

namespace mor1e::testing {

class stored_rows final : public row_source<float> {
 public:
  explicit stored_rows(tensor<float> values) : values_(std::move(values)) {}
  index_t rows() const override { return values_.extents().rows(); }
  index_t cols() const override { return values_.extents().cols(); }
  void read_rows(index_t first, view<float> to) const override {
    for (index_t i = 0; i < to.rows; ++i)
      std::copy_n(std::as_const(values_).matrix().row(first + i), to.cols, to.row(i));
  }
  const tensor<float>& values() const { return values_; }

 private:
  tensor<float> values_;
};

}  // namespace mor1e::testing
