// A few rows times a panel of a rounded weight, whose sums stay in registers: what the kernels of processors share.
#pragma once

#include "mor1e/backend/cpu/rounded/rounded_matrix.hpp"

namespace mor1e::backend::detail {

/// Block::cols columns of a packed weight.
template <class Block>
struct dot_panel {
  using operands = typename Block::operands;
  const typename operands::weight* values;  ///< [terms / Block::terms, Block::cols, Block::terms]
  const typename operands::sum* offsets;    ///< [parts, Block::cols]: what the sums begin with
};

/// to [rows, Block::cols] = rows first, first + 1, ... of x times the panel, for 1 to Block::rows rows.
template <class Block, int Rows = Block::rows>
void dot_block(const rounded_input<typename Block::operands>& x, index_t first, index_t rows, const dot_panel<Block>& w,
               float (*to)[Block::cols]) {
  if constexpr (Rows > 1)
    if (rows < Rows) return dot_block<Block, Rows - 1>(x, first, rows, w, to);
  Block::template run<Rows>(x, first, w, to);
}

}  // namespace mor1e::backend::detail
