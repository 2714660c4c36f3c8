// The gated activation of Llama, SwiGLU.
#pragma once

#include "mor1e/ops/gated.hpp"
#include "mor1e/ops/silu.hpp"

namespace mor1e::ops {

/// y = silu(gate) up for x = [gate | up]                                                  x [T, 2 n] -> y [T, n]
using gated_silu_op = gated_op<silu_op>;

template <class B, class T>
var<T> gated_silu(tape<B>& t, var<T> x) {
  return gated<silu_op>(t, x);
}

}  // namespace mor1e::ops
