// Feed-forward layers.
#pragma once

#include "mor1e/nn/projection_group.hpp"

namespace mor1e::nn {

/// down(act(gate(x)) * up(x)); `gated_activation` is an op on [gate | up], such as `ops::gated_silu`.
template <class B, class T, auto gated_activation>
struct gated_mlp {
  projection_group<B, T> gate_up, down;

  var<T> forward(tape<B>& t, var<T> x, step_context<B, T>& step) const {
    return down.forward(t, gated_activation(t, gate_up.forward(t, x, step)), step);
  }
};

/// down(act(up(x)))
template <class B, class T, auto activation>
struct mlp {
  projection_group<B, T> up, down;

  var<T> forward(tape<B>& t, var<T> x, step_context<B, T>& step) const {
    return down.forward(t, activation(t, up.forward(t, x, step)), step);
  }
};

}  // namespace mor1e::nn
