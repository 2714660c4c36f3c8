// Attention of new rows over a cache of keys and values, which it extends.
#pragma once

#include <algorithm>

#include "mor1e/ops/attention.hpp"

namespace mor1e::ops {

/// The k and v columns of row begin + i of each segment go to row keys + i of the caches; then the rows attend over the
/// cached rows that their segment names.
///   qkv [T, (heads + 2 kv_heads) head_dim], keys and values [capacity, kv_heads head_dim] (written to), segments int32
///   [S, 5]
///   -> out [T, heads head_dim]
/// The tape does not order reads of a cache against this write: give each cache to one op a forward pass.
struct attention_cached_op {
  static constexpr const char* label = "attention_cached";
  static constexpr const char* no_gradient = "the keys of earlier calls, which made the cache, are not on the tape";
  using attributes = attention_attributes;

  static signature shape(const attributes& a, operands in) {
    a.check(label, in[0], in[3]);
    for (int k = 1; k <= 2; ++k)
      check(in[k].cols == index_t(a.kv_heads) * a.head_dim && in[k].rows == in[1].rows, label, a.kv_heads, " heads of ",
            a.head_dim, " columns do not make ", describe(k == 1 ? "keys" : "values", in[k], "capacity", "columns"));
    return {.outputs = {{in[0].rows, index_t(a.heads) * a.head_dim}},
            .indices = {{.input = 3, .end = std::max(in[0].rows, in[1].rows) + 1, .begin = 0}}};
  }

  template <class B, class T>
  requires HasKeyCache<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    const view_of<B, const T> qkv = c.in(0), keys = c.in(1), values = c.in(2);
    const view_of<B, const std::int32_t> segments = c.template in_as<std::int32_t>(3);
    attention_shape shape = a.shape();
    cache_keys(c.device(), shape, a.k(qkv), segments, writable<B, T>(keys));
    cache_keys(c.device(), shape, a.v(qkv), segments, writable<B, T>(values));
    shape.key_head_stride = a.head_dim;
    attention_forward(c.device(), shape, a.q(qkv), keys, values, segments, c.out(), view_of<B, T>());
  }

  static cost work(const attributes& a, operands in, bool) {
    const double pairs = double(in[0].rows) * double(in[1].rows);
    return {4 * pairs * a.heads * a.head_dim, 2 * double(in[1].rows * in[1].cols) * 4};
  }

  static std::vector<op_case<attention_cached_op>> cases() {
    const auto held = [](index_t rows, index_t cols) {
      return case_input{.rows = rows, .cols = cols, .gradient = false};
    };
    const auto segments = [](std::vector<std::int32_t> f) {
      return case_input{
          .rows = index_t(f.size()) / segment_fields, .cols = segment_fields, .gradient = false, .integers = f};
    };
    return {{.name = "prompt",
             .attributes = {.heads = 2, .head_dim = 3},
             .inputs = {held(4, 12), held(9, 3), held(9, 3), segments({0, 4, 0, 0, 0})}},
            {.name = "next_token",
             .attributes = {.heads = 4, .kv_heads = 2, .head_dim = 2, .scale = 0.7},
             .inputs = {held(1, 16), held(9, 4), held(9, 4), segments({0, 1, 6, 0, 6})}},
            {.name = "two_sequences",
             .attributes = {.heads = 2, .kv_heads = 2, .head_dim = 20, .window = 3, .interleaved = true},
             .inputs = {held(3, 120), held(12, 40), held(12, 40), segments({0, 1, 4, 0, 4, 1, 3, 9, 6, 9})}},
            {.name = "narrow_cache",
             .inputs = {held(1, 3), held(4, 2), held(4, 1), segments({0, 1, 0, 0, 0})},
             .must_throw = true},
            {.name = "next_of_2048",
             .attributes = {.heads = 9, .kv_heads = 3, .head_dim = 64, .scale = 0.125},
             .inputs = {held(1, 960), held(2048, 192), held(2048, 192), segments({0, 1, 2047, 0, 2047})},
             .benchmark = true}};
  }

 private:
  /// Inputs are read-only to ops, but this one exists to extend what the caller gave it for that.
  template <class B, class T>
  static view_of<B, T> writable(view_of<B, const T> held) {
    return {const_cast<T*>(held.address()), held.rows, held.cols, held.stride};
  }
};

/// `keys` and `values`: constants whose memory the caller lets this op write.
template <class B, class T>
var<T> attention_cached(tape<B>& t, var<T> qkv, var<T> keys, var<T> values, var<std::int32_t> segments,
                        const attention_attributes& a) {
  return t.template apply<attention_cached_op, T>(a, {qkv, keys, values, segments});
}

}  // namespace mor1e::ops
