// Operands after rounding: a weight, and what multiplies it.
#pragma once

#include <algorithm>
#include <vector>

#include "mor1e/backend/cpu/device.hpp"
#include "mor1e/backend/cpu/rounded/operands.hpp"
#include "mor1e/backend/cpu/rounded/parts.hpp"
#include "mor1e/backend/cpu/row_loops.hpp"
#include "mor1e/backend/scratch.hpp"

namespace mor1e::backend::detail {

/// W [out, in] rounded row by row: W_ij = scales_i values_ij.
template <class Operands>
struct rounded_rows {
  using weight = typename Operands::weight;

  tensor<weight> values;
  std::vector<float> scales;

  rounded_rows(cpu& device, const host_frozen<float>& w)
      : values(shape{w.rows(), w.cols()}), scales(std::size_t(w.rows())) {
    parallel_rows(device, w.rows(), w.cols(), [&](index_t begin, index_t end) {
      tensor<float> row(shape{1, w.cols()});
      for (index_t i = begin; i < end; ++i) {
        w.read_rows(i, row.matrix());
        const float* const from = row.data();
        scales[std::size_t(i)] = Operands::round(
            w.cols(), [=](index_t j) { return from[j]; }, values.data() + i * w.cols());
      }
    });
  }
};

/// The rows of x, or of x times a factor for each column, rounded in parts of their terms, each with a scale of its
/// own. The terms of a part lie together, one row after the other.
template <class Operands>
class rounded_input {
 public:
  using input = typename Operands::input;

  /// `factors` [terms] or null
  rounded_input(cpu& device, view<const float> x, const float* factors, const parts& terms)
      : terms_(terms), values_(device, x.rows, terms.padded()), scales_(device, terms.count(), x.rows) {
    parallel_rows(device, x.rows, terms.size(), [&](index_t begin, index_t end) {
      for (index_t i = begin; i < end; ++i)
        for (index_t part = 0; part < terms.count(); ++part) {
          const index_t n = terms.filled(part);
          const float *from = x.row(i) + terms.begin(part), *by = factors ? factors + terms.begin(part) : nullptr;
          input* const to = values_.view().data + at(part, i);
          scales_.view()(part, i) = by ? Operands::round(
                                             n, [=](index_t j) { return from[j] * by[j]; }, to)
                                       : Operands::round(
                                             n, [=](index_t j) { return from[j]; }, to);
          std::fill(to + n, to + terms.length(part), input(0));
        }
    });
  }

  const parts& terms() const { return terms_; }
  index_t rows() const { return values_.view().rows; }
  /// The first of the adjacent terms of a part of a row.
  const input* row(index_t part, index_t i) const { return values_.view().data + at(part, i); }
  /// [rows]: of a part.
  const float* scales(index_t part) const { return scales_.view().row(part); }

 private:
  index_t at(index_t part, index_t i) const { return rows() * terms_.begin(part) + i * terms_.length(part); }

  const parts& terms_;
  scratch<cpu, input> values_;
  scratch<cpu, float> scales_;
};

}  // namespace mor1e::backend::detail
