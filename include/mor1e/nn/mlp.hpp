// Feed-forward layers.
#pragma once

#include "mor1e/nn/projection_group.hpp"
#include "mor1e/ops/gated.hpp"

namespace mor1e::nn {

/// down(act(gate(x)) * up(x)); `Activation` is an elementwise op such as `ops::silu_op`.
template <class B, class T, class Activation>
struct gated_mlp {
  projection_group<B, T> gate_up, down;

  var<T> forward(tape<B>& t, var<T> x, step_context<B, T>& step) const {
    return down.forward(t, ops::gated<Activation>(t, gate_up.forward(t, x, step)), step);
  }
};

/// down(act(up(x)))
template <class B, class T, class Activation>
struct mlp {
  projection_group<B, T> up, down;

  var<T> forward(tape<B>& t, var<T> x, step_context<B, T>& step) const {
    return down.forward(t, t.template apply<Activation, T>({}, {up.forward(t, x, step)}), step);
  }
};

}  // namespace mor1e::nn
