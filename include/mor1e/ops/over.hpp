// Which elements a reduction takes together.
#pragma once

#include "mor1e/autodiff/op.hpp"

namespace mor1e::ops {

/// What a reduction of x [T, n] runs over: every element -> [1, 1]; the rows -> [1, n], one result a column; the
/// columns -> [T, 1], one result a row.
enum class over { all, rows, columns };

/// The shape of a reduction of x.
inline slot_size reduced_shape(over what, const operand& x) {
  return {what == over::columns ? x.rows : 1, what == over::rows ? x.cols : 1};
}

/// Throws a shape_error where a reduction of x has results and nothing to make them of.
inline void check_not_empty(const char* label, over what, const operand& x) {
  check((what == over::columns || x.rows > 0) && (what == over::rows || x.cols > 0), label,
        "nothing to reduce: ", describe("x", x));
}

}  // namespace mor1e::ops
