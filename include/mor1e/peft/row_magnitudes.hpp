// The lengths of the rows of adapted weights as parameters of their own.
#pragma once

#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "mor1e/nn/projection_group.hpp"
#include "mor1e/ops/scale_columns.hpp"
#include "mor1e/ops/updated_row_norms.hpp"

namespace mor1e::peft {

/// y = b + (m / n) (W + s U A) x with m learned from the norms of W, n the norms of the rows of W + s U A. Linears that
/// are not targeted keep theirs.
template <class B, class T>
class row_magnitudes {
 public:
  row_magnitudes(const nn::projection_group<B, T>& base, const std::vector<bool>& targeted)
      : squares_(base.device(), shape{1, base.outputs()}) {
    index_t first = 0;
    for (std::size_t p = 0; p < targeted.size(); ++p) {
      const auto& part = base.parts()[p];
      const index_t rows = part.w.rows();
      row_squares(base.device(), part.w.values(), squares_.matrix().col_range(first, rows));
      tensor<T> lengths = squares_.read(first, shape{1, rows});
      for (T& length : lengths) length = std::sqrt(length);
      values_.push_back(std::make_unique<param<B, T>>(base.device(), part.name + ".lora_magnitude_vector", lengths));
      trained_.push_back(targeted[p]);
      first += rows;
    }
  }

  /// `z` = (W + s U A) x of all linears, without their bias.
  var<T> apply(tape<B>& t, var<T> z, const nn::projection_group<B, T>& base, var<T> down, std::span<const var<T>> ups,
               double scale) {
    std::vector<var<T>> m;
    for (std::size_t p = 0; p < values_.size(); ++p)
      m.push_back(trained_[p] ? t.use(*values_[p]) : t.constant(values_[p]->value));
    const var<T> n = ops::updated_row_norms<B, T>(t, base.frozen(t), t.constant(squares_), down, ups, scale);
    return ops::scale_columns(t, z, m.size() == 1 ? m.front() : ops::concat_columns<B, T>(t, m), n, base.bias(t));
  }

  /// W -> rows of the learned lengths, for linear p of the group.
  void rescale(std::size_t p, view<T> w) const {
    const tensor<T> lengths = values_[p]->read();
    for (index_t i = 0; i < w.rows; ++i) {
      double sum = 0;
      for (index_t j = 0; j < w.cols; ++j) sum += double(w(i, j)) * double(w(i, j));
      const double factor = sum > 0 ? double(lengths[i]) / std::sqrt(sum) : 1;
      for (index_t j = 0; j < w.cols; ++j) w(i, j) = T(double(w(i, j)) * factor);
    }
  }

  /// The parameter of linear p of the group.
  param<B, T>& of(std::size_t p) { return *values_[p]; }

 private:
  array<B, T> squares_;  ///< |w|^2 of the rows of all linears
  std::vector<std::unique_ptr<param<B, T>>> values_;
  std::vector<bool> trained_;
};

/// For methods without.
struct no_magnitudes {
  no_magnitudes(const auto&, const auto&) {}
};

}  // namespace mor1e::peft
