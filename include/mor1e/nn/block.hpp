// Transformer blocks.
#pragma once

#include "mor1e/nn/step_context.hpp"
#include "mor1e/ops/add.hpp"

namespace mor1e::nn {

/// a = x + attention(norm(x)); y = a + mlp(norm(a))
template <class B, class T, class Norm, class Attention, class Mlp>
struct pre_norm_block {
  Norm input_norm;
  Attention attention;
  Norm mlp_norm;
  Mlp mlp;

  var<T> forward(tape<B>& t, var<T> x, var<T> table, step_context<B, T>& step) const {
    const var<T> a = ops::add(t, x, attention.forward(t, input_norm.forward(t, x), table, step));
    return ops::add(t, a, mlp.forward(t, mlp_norm.forward(t, a), step));
  }
};

/// a = norm(x + attention(x)); y = norm(a + mlp(a))
template <class B, class T, class Norm, class Attention, class Mlp>
struct post_norm_block {
  Attention attention;
  Norm attention_norm;
  Mlp mlp;
  Norm mlp_norm;

  var<T> forward(tape<B>& t, var<T> x, var<T> table, step_context<B, T>& step) const {
    const var<T> a = attention_norm.forward(t, ops::add(t, x, attention.forward(t, x, table, step)));
    return mlp_norm.forward(t, ops::add(t, a, mlp.forward(t, a, step)));
  }
};

}  // namespace mor1e::nn
