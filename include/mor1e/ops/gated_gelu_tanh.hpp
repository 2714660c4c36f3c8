// The gated activation of Gemma, GeGLU.
#pragma once

#include "mor1e/ops/gated.hpp"
#include "mor1e/ops/gelu_tanh.hpp"

namespace mor1e::ops {

/// y = gelu_tanh(gate) up for x = [gate | up]                                             x [T, 2 n] -> y [T, n]
using gated_gelu_tanh_op = gated_op<gelu_tanh_op>;

template <class B, class T>
var<T> gated_gelu_tanh(tape<B>& t, var<T> x) {
  return gated<gelu_tanh_op>(t, x);
}

}  // namespace mor1e::ops
