// Self-attention over packed sequences.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mor1e/nn/projection_group.hpp"
#include "mor1e/ops/attention.hpp"
#include "mor1e/ops/attention_cached.hpp"
#include "mor1e/ops/rotary.hpp"

namespace mor1e::nn {

/// The shape of an attention that is trained from scratch.
struct attention_options {
  int heads = 1;
  int kv_heads = 0;  ///< heads of keys and values; 0: as many
  int head_dim = 0;  ///< columns of a head; 0: width / heads
  int window = 0;    ///< 0: all earlier tokens are seen
  bool causal = true;
  bool bias = true;
};

/// o(attend(rotate(q), rotate(k), v)), q | k | v = qkv(x); grouped queries, causal or not, optional sliding window.
template <class B, class T = float>
struct attention {
  projection_group<B, T> qkv, o;
  ops::attention_attributes how;  ///< heads, mask, and the scale of the scores: usually 1 / sqrt(head_dim)
  int layer = 0;                  ///< index in the cache

  attention() = default;
  attention(projection_group<B, T> qkv, projection_group<B, T> o, const ops::attention_attributes& how, int layer)
      : qkv(std::move(qkv)), o(std::move(o)), how(how), layer(layer) {}
  /// Trained, x [T, width]: linears `name`.q, .k, .v and .o that start as nn::linear does.
  attention(B& device, const std::string& name, index_t width, const attention_options& a, std::uint64_t key,
            int layer = 0)
      : layer(layer) {
    require<value_error>(a.heads > 0 && a.kv_heads >= 0 && a.head_dim >= 0 && (a.head_dim > 0 || width % a.heads == 0),
                         name, ": ", a.heads, " heads of ", a.head_dim, " columns, ", a.kv_heads,
                         " of keys and values, for a width of ", width);
    how.heads = a.heads;
    how.kv_heads = a.kv_heads ? a.kv_heads : a.heads;
    how.head_dim = a.head_dim ? a.head_dim : int(width / a.heads);
    how.scale = 1 / std::sqrt(double(how.head_dim));
    how.window = a.window;
    how.causal = a.causal;
    const index_t queries = index_t(how.heads) * how.head_dim, keys = index_t(how.kv_heads) * how.head_dim;
    qkv = {device, name, width, {{"q", queries}, {"k", keys}, {"v", keys}}, stream_key(key, 0), a.bias};
    o = {device, name, queries, {{"o", width}}, stream_key(key, 1), a.bias};
  }

  /// `table`: the cosines and sines of the rows' positions; empty for models without rotary embeddings.
  var<T> forward(tape<B>& t, var<T> x, var<T> table, step_context<B, T>& step) const {
    var<T> fused = qkv.forward(t, x, step);
    if (table) fused = ops::rotary(t, fused, table, how.heads + how.kv_heads, how.head_dim);
    if (!step.cache) return o.forward(t, ops::attention(t, fused, step.batch.segments, how), step);
    auto& held = step.cache->layers[layer];
    return o.forward(
        t, ops::attention_cached(t, fused, t.constant(held.keys), t.constant(held.values), step.batch.segments, how),
        step);
  }
  std::vector<param<B, T>*> parameters() const { return parameters_of(qkv, o); }
  std::vector<projection_group<B, T>*> groups() { return {&qkv, &o}; }
};

}  // namespace mor1e::nn
