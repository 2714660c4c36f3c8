// A frozen weight rounded and packed for oneDNN.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "mor1e/backend/cpu/onednn/block_product.hpp"
#include "mor1e/backend/cpu/packed_weight.hpp"
#include "mor1e/backend/cpu/rounded/rounded_matrix.hpp"

namespace mor1e::backend::detail::onednn {

/// op(W) [inner, cols] in blocks of columns, each small enough to stay in the cache of one core, and of terms, each
/// with a scale of its own for what multiplies it.
template <class Operands>
class rounded_weight final : public packed_weight {
 public:
  rounded_weight(cpu& device, transpose tw, const host_frozen<float>& w)
      : transposed_(tw == transpose::yes),
        terms_(transposed_ ? w.cols() : w.rows(), Operands::most_terms),
        cols_(transposed_ ? w.rows() : w.cols(), most_cols),
        blocks_(std::size_t(terms_.count() * cols_.count())) {
    rounded_rows<Operands> rounded(device, w);
    parallel_for(device.threads(), index_t(blocks_.size()), 1, [&](index_t begin, index_t end) {
      for (index_t b = begin; b < end; ++b) pack(b % terms_.count(), b / terms_.count(), rounded.values.matrix());
    });
    scales_ = std::move(rounded.scales);
  }

  void multiply(cpu& device, view<const float> x, float beta, view<float> y) const override {
    const rounded_input<Operands> rounded(device, x, Operands::scaled && !transposed_ ? scales_.data() : nullptr,
                                          terms_);
    // Few rows leave no thread without columns; many rows let each thread keep a block of the weight in its cache.
    if (x.rows >= index_t(device.threads().size()) * product::most_rows / 2)
      parallel_for(device.threads(), x.rows, 16, [&](index_t begin, index_t end) {
        for (index_t part = 0; part < cols_.count(); ++part) multiply(part, begin, end, rounded, beta, y);
      });
    else
      parallel_for(device.threads(), cols_.count(), 1, [&](index_t begin, index_t end) {
        for (index_t part = begin; part < end; ++part) multiply(part, 0, x.rows, rounded, beta, y);
      });
  }

 private:
  using weight = typename Operands::weight;
  using sum = typename Operands::sum;
  using product = block_product<Operands>;
  static constexpr index_t most_cols = 512;

  struct block {
    const product* times = nullptr;
    dnnl::memory values;
    std::vector<std::int32_t> shifts;  ///< what the offset of the inputs adds to each sum
  };

  void pack(index_t of_terms, index_t of_cols, view<weight> w) {
    block& b = blocks_[std::size_t(of_cols * terms_.count() + of_terms)];
    const parts &rows = transposed_ ? cols_ : terms_, &columns = transposed_ ? terms_ : cols_;
    const index_t row_part = transposed_ ? of_cols : of_terms, column_part = transposed_ ? of_terms : of_cols;
    const view<weight> from = w.row_range(rows.begin(row_part), rows.length(row_part))
                                  .col_range(columns.begin(column_part), columns.length(column_part));
    const index_t inner = terms_.length(of_terms), cols = cols_.length(of_cols);
    b.times = &product::of(inner, cols);
    b.values = dnnl::memory(b.times->packed(), engine());
    const dnnl::memory::desc strided({inner, cols}, type_of<weight>,
                                     transposed_ ? dnnl::memory::dims{1, w.stride} : dnnl::memory::dims{w.stride, 1});
    reorder(dnnl::memory(strided, engine(), from.data), b.values);
    if constexpr (Operands::scaled) {
      b.shifts.assign(std::size_t(cols), 0);
      for (index_t i = 0; i < from.rows; ++i)
        for (index_t j = 0; j < from.cols; ++j) b.shifts[transposed_ ? i : j] += Operands::offset * from(i, j);
    }
  }

  /// Rows [begin, end) of one part of the columns of y.
  void multiply(index_t of_cols, index_t begin, index_t end, const rounded_input<Operands>& x, float beta,
                view<float> y) const {
    const index_t cols = cols_.length(of_cols);
    thread_local std::vector<sum> memory;
    memory.resize(std::max(memory.size(), std::size_t(product::most_rows * cols)));
    for (index_t first = begin, rows; first < end; first += rows) {
      rows = std::min(product::most_rows, index_t(std::bit_floor(std::uint64_t(end - first))));
      for (index_t part = 0; part < terms_.count(); ++part) {
        const block& b = blocks_[std::size_t(of_cols * terms_.count() + part)];
        (*b.times)(rows, x.row(part, first), b.values, memory.data());
        for (index_t i = 0; i < rows; ++i)
          add(b, memory.data() + i * cols, x.scales(part)[first + i], cols_.begin(of_cols), cols, part == 0 ? beta : 1,
              y.row(first + i));
      }
    }
  }

  void add(const block& b, const sum* sums, float scale, index_t first, index_t cols, float beta, float* y) const {
    if constexpr (!Operands::scaled) {
      write_row(y + first, cols, beta, [=](index_t j) { return sums[j]; });
    } else {
      const std::int32_t* const shift = b.shifts.data();
      const float* const of_row = scales_.data() + first;
      if (transposed_)
        write_row(y + first, cols, beta, [=](index_t j) { return scale * of_row[j] * float(sums[j] - shift[j]); });
      else
        write_row(y + first, cols, beta, [=](index_t j) { return scale * float(sums[j] - shift[j]); });
    }
  }

  bool transposed_;
  parts terms_, cols_;
  std::vector<float> scales_;  ///< of the rows of W
  std::vector<block> blocks_;  ///< of each part of the columns, those of all terms
};

}  // namespace mor1e::backend::detail::onednn
