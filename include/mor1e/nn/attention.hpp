// Self-attention over packed sequences.
#pragma once

#include "mor1e/nn/projection_group.hpp"
#include "mor1e/ops/attention.hpp"
#include "mor1e/ops/attention_cached.hpp"
#include "mor1e/ops/rotary.hpp"

namespace mor1e::nn {

/// o(attend(rotate(q), rotate(k), v)), q | k | v = qkv(x); grouped queries, causal or not, optional sliding window.
template <class B, class T>
struct attention {
  projection_group<B, T> qkv, o;
  int heads = 1, kv_heads = 1, head_dim = 1;
  double scale = 1;  ///< on the scores; usually 1 / sqrt(head_dim)
  int window = 0;    ///< 0: all earlier tokens are seen
  bool causal = true;
  int layer = 0;  ///< index in the cache

  /// `table`: the cosines and sines of the rows' positions; empty for models without rotary embeddings.
  var<T> forward(tape<B>& t, var<T> x, var<T> table, step_context<B, T>& step) const {
    var<T> fused = qkv.forward(t, x, step);
    if (table) fused = ops::rotary(t, fused, table, heads + kv_heads, head_dim);
    const ops::attention_attributes a{heads, kv_heads, head_dim, scale, window, causal};
    if (!step.cache) return o.forward(t, ops::attention(t, fused, step.batch.segments, a), step);
    auto& held = step.cache->layers[layer];
    return o.forward(
        t, ops::attention_cached(t, fused, t.constant(held.keys), t.constant(held.values), step.batch.segments, a),
        step);
  }
};

}  // namespace mor1e::nn
