// A frozen weight rounded and packed for dot_block.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "mor1e/backend/cpu/packed_weight.hpp"
#include "mor1e/backend/cpu/rounded/dot_block.hpp"
#include "mor1e/backend/transpose.hpp"

#if defined(__x86_64__)

namespace mor1e::backend::detail {

/// op(W) [inner, cols] in panels of Block::cols columns.
template <class Block>
class dot_weight final : public packed_weight {
  using operands = typename Block::operands;

 public:
  dot_weight(cpu& device, transpose tw, const host_frozen<float>& w)
      : terms_(tw == transpose::yes ? w.cols() : w.rows(), operands::most_terms, Block::terms),
        cols_(tw == transpose::yes ? w.rows() : w.cols()),
        values_(shape{panels(), terms_.padded() * Block::cols}),
        offsets_(shape{panels(), terms_.count() * Block::cols}, 0),
        scales_(shape{panels(), Block::cols}, 1.f) {
    rounded_rows<operands> rounded(device, w);
    parallel_for(device.threads(), panels(), 1, [&](index_t begin, index_t end) {
      for (index_t p = begin; p < end; ++p) pack(p, tw, std::as_const(rounded.values).matrix());
    });
    if (tw == transpose::yes)
      std::copy(rounded.scales.begin(), rounded.scales.end(), scales_.data());
    else if (operands::scaled)
      factors_ = std::move(rounded.scales);
  }

  void multiply(cpu& device, view<const float> x, float beta, view<float> y) const override {
    const rounded_input<operands> rounded(device, x, factors_.empty() ? nullptr : factors_.data(), terms_);
    // Few rows leave no thread without columns.
    if (x.rows >= index_t(device.threads().size()) * 32)
      parallel_for(device.threads(), x.rows, 32, [&](index_t begin, index_t end) {
        for (index_t first = begin, n; first < end; first += n) {
          n = std::min(most_rows(), end - first);
          multiply(rounded, first, n, 0, panels(), beta, y);
        }
      });
    else
      parallel_for(device.threads(), panels(), 1,
                   [&](index_t begin, index_t end) { multiply(rounded, 0, x.rows, begin, end, beta, y); });
  }

 private:
  using weight = typename operands::weight;
  using sum = typename operands::sum;

  index_t panels() const { return (cols_ + Block::cols - 1) / Block::cols; }

  void pack(index_t panel, transpose tw, view<const weight> w) {
    weight* const to = values_.matrix().row(panel);
    std::fill_n(to, terms_.padded() * Block::cols, weight(0));
    const index_t first = panel * Block::cols, cols = std::min<index_t>(Block::cols, cols_ - first);
    for (index_t part = 0; part < terms_.count(); ++part)
      for (index_t k = terms_.begin(part); k < terms_.begin(part) + terms_.filled(part); ++k)
        for (index_t c = 0; c < cols; ++c) {
          const weight value = tw == transpose::yes ? w(first + c, k) : w(k, first + c);
          to[(k / Block::terms * Block::cols + c) * Block::terms + k % Block::terms] = value;
          if constexpr (operands::offset != 0)
            offsets_(panel, part * Block::cols + c) -= sum(operands::offset) * sum(value);
        }
  }

  /// So many that what is read of x stays in the second cache of a core while panel after panel passes.
  index_t most_rows() const {
    const index_t bytes = terms_.padded() * index_t(sizeof(typename operands::input));
    return std::max<index_t>(256 * 1024 / bytes / Block::rows, 1) * Block::rows;
  }

  /// Rows first, first + 1, ... of some panels of y.
  void multiply(const rounded_input<operands>& x, index_t first, index_t rows, index_t begin, index_t end, float beta,
                view<float> y) const {
    for (index_t p = begin; p < end; ++p) {
      const dot_panel<Block> w{values_.matrix().row(p), offsets_.matrix().row(p)};
      const index_t column = p * Block::cols, cols = std::min<index_t>(Block::cols, cols_ - column);
      const float* const scales = scales_.matrix().row(p);
      alignas(64) float block[Block::rows][Block::cols];
      for (index_t i = first, n; i < first + rows; i += n) {
        n = std::min<index_t>(Block::rows, first + rows - i);
        dot_block<Block>(x, i, n, w, block);
        for (index_t k = 0; k < n; ++k) {
          const float* const sums = block[k];
          const auto scaled = [=](index_t j) { return scales[j] * sums[j]; };
          float* const to = y.row(i + k) + column;
          cols == Block::cols ? write_row(to, Block::cols, beta, scaled) : write_row(to, cols, beta, scaled);
        }
      }
    }
  }

  parts terms_;
  index_t cols_;
  tensor<weight> values_;
  tensor<sum> offsets_;
  tensor<float> scales_;        ///< of the columns of y
  std::vector<float> factors_;  ///< of the columns of x, if any
};

}  // namespace mor1e::backend::detail

#endif
