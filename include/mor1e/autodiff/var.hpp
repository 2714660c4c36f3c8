// Handles of values on a tape.
#pragma once

#include "mor1e/autodiff/graph.hpp"

namespace mor1e {

/// A matrix [rows, cols] of T on a tape: an id, its shape and whose it is, copied freely. Empty when default-made.
template <class T>
struct var {
  slot_id id = no_slot;
  index_t rows = 0;
  index_t cols = 0;
  std::uint32_t graph = 0;  ///< the number of the graph that it belongs to

  explicit operator bool() const { return id != no_slot; }
};

/// A frozen weight on a tape, seen as the matrix [rows = outputs, cols = inputs] it holds.
struct frozen_var {
  slot_id id = no_slot;
  index_t rows = 0;
  index_t cols = 0;
  std::uint32_t graph = 0;
};

/// An input or output of an op as its shape rule sees it.
struct operand {
  slot_id id = no_slot;
  index_t rows = 0;
  index_t cols = 0;
  std::uint32_t graph = 0;

  operand() = default;
  template <class T>
  operand(var<T> v) : id(v.id), rows(v.rows), cols(v.cols), graph(v.graph) {}
  operand(frozen_var v) : id(v.id), rows(v.rows), cols(v.cols), graph(v.graph) {}
};

}  // namespace mor1e
