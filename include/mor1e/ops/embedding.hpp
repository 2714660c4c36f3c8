// Token embeddings from a trainable table.
#pragma once

#include "mor1e/autodiff/value.hpp"
#include "mor1e/ops/gather_rows.hpp"

namespace mor1e::ops {

/// y_i = scale table[ids_i]: a gather of rows.              table [V, d] trainable, ids int32 [T, 1] -> y [T, d]
/// `scale` is sqrt(d) for Gemma. An id of -1 (padding) gives a row of zeros.
using embedding_op = gather_rows_op;

template <class B, class T>
var<T> embedding(tape<B>& t, var<T> table, var<std::int32_t> ids, double scale = 1) {
  return gather_rows(t, table, ids, scale);
}

template <class B, class T>
value<B, T> embedding(value<B, T> table, value<B, std::int32_t> ids, double scale = 1) {
  return gather_rows(table, ids, scale);
}

}  // namespace mor1e::ops
