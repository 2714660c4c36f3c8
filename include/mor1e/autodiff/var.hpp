// Handles of values on a tape.
#pragma once

#include "mor1e/autodiff/graph.hpp"

namespace mor1e {

/// A matrix [rows, cols] of T on a tape: an id and its shape, copied freely. Empty when default-made.
template <class T>
struct var {
  slot_id id = no_slot;
  index_t rows = 0;
  index_t cols = 0;

  explicit operator bool() const { return id != no_slot; }
};

/// A frozen weight on a tape, seen as the matrix [rows = outputs, cols = inputs] it holds.
struct frozen_var {
  slot_id id = no_slot;
  index_t rows = 0;
  index_t cols = 0;
};

/// An input or output of an op as its shape rule sees it.
struct operand {
  slot_id id = no_slot;
  index_t rows = 0;
  index_t cols = 0;

  operand() = default;
  template <class T>
  operand(var<T> v) : id(v.id), rows(v.rows), cols(v.cols) {}
  operand(frozen_var v) : id(v.id), rows(v.rows), cols(v.cols) {}
};

}  // namespace mor1e
