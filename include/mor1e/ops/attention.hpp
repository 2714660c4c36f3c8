// Self-attention over packed sequences, from a fused projection.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/core/attention_shape.hpp"

namespace mor1e::ops {

/// `heads` query heads, `kv_heads` key and value heads, each of head_dim columns. The meaning of scale, window, causal
/// and alibi is that of attention_shape.
struct attention_attributes {
  int heads = 1;
  int kv_heads = 1;
  int head_dim = 1;
  double scale = 1;
  int window = 0;
  bool causal = true;
  bool alibi = false;
  bool interleaved = false;  ///< columns are (head, q | k | v) as in Bloom, not all q, all k, all v

  index_t head_stride() const { return (interleaved ? 3 : 1) * head_dim; }
  attention_shape shape() const {
    return {heads, kv_heads, head_dim, scale, window, causal, alibi, head_stride(), head_stride()};
  }

  /// The columns of a fused matrix in which q, k and v begin.
  template <class View>
  View q(View fused) const {
    return fused;
  }
  template <class View>
  View k(View fused) const {
    return columns(fused, interleaved ? 1 : heads);
  }
  template <class View>
  View v(View fused) const {
    return columns(fused, interleaved ? 2 : heads + kv_heads);
  }

  /// Throws a shape_error unless qkv and segments fit.
  void check(const char* op, const operand& qkv, const operand& segments) const {
    ops::check(kv_heads > 0 && heads > 0 && heads % kv_heads == 0 && (!interleaved || heads == kv_heads), op, heads,
               " query heads cannot share ", kv_heads, " key heads");
    ops::check(head_dim > 0 && head_dim <= max_head_dim, op, "head_dim is 1 to ", max_head_dim, ", not ", head_dim);
    ops::check(window >= 0, op, "window is ", window);
    ops::check(qkv.cols == index_t(heads + 2 * kv_heads) * head_dim, op, heads, " + 2 x ", kv_heads, " heads of ",
               head_dim, " columns do not make ", describe("qkv", qkv, "tokens", "columns"));
    ops::check(segments.cols == segment_fields, op, describe("segments", segments, "segments", "fields"), " has not ",
               segment_fields, " fields");
  }

 private:
  template <class View>
  View columns(View fused, int head) const {
    return fused.col_range(index_t(head) * head_dim, fused.cols - index_t(head) * head_dim);
  }
};

/// out = softmax(scale q k^T) v for each head over the keys that the row's segment shows it (core/segment.hpp)
///   qkv [T, (heads + 2 kv_heads) head_dim], segments int32 [S, 5] -> out [T, heads head_dim]
/// Query head h shares key head h / (heads / kv_heads). Saves lse [T, heads], the logarithm of each softmax's
/// denominator, from which the backward computes the probabilities again; no [T, T] matrix is made in either direction.
/// Rows in no segment give zeros and get no gradient. Throws a value_error for an input with a segment that leaves qkv.
/// Source: Dao et al. 2022 (FlashAttention), section 3.1.
struct attention_op {
  static constexpr const char* label = "attention";
  using attributes = attention_attributes;

  static signature shape(const attributes& a, operands in) {
    a.check(label, in[0], in[1]);
    return {.outputs = {{in[0].rows, index_t(a.heads) * a.head_dim}},
            .saved = {{in[0].rows, a.heads}},
            .backward_scratch = {{in[0].rows, a.heads}},
            .backward_reads = reads(0) | reads(1) | reads(2),
            .indices = {{.input = 1, .end = in[0].rows + 1, .begin = 0}}};
  }

  template <class B, class T>
  requires HasAttention<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    const view_of<B, const T> qkv = c.in(0);
    attention_forward(c.device(), a.shape(), a.q(qkv), a.k(qkv), a.v(qkv), c.template in_as<std::int32_t>(1), c.out(),
                      c.saved());
  }

  template <class B, class T>
  requires HasAttention<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const view_of<B, const T> qkv = c.in(0), out = c.out(), lse = c.saved();
    const auto d = c.grad_in(0);
    attention_backward(c.device(), a.shape(), a.q(qkv), a.k(qkv), a.v(qkv), c.template in_as<std::int32_t>(1), out, lse,
                       c.grad_out(), d.beta(), a.q(d.to), a.k(d.to), a.v(d.to), c.scratch());
  }

  /// Counted as if the segments shared the rows equally: how long each is lies in memory, not in a shape.
  static cost work(const attributes& a, operands in, bool backward) {
    const double t = double(in[0].rows), length = t / double(in[1].rows),
                 pairs = a.causal ? t * (length + 1) / 2 : t * length;
    return {(backward ? 5 : 2) * 2 * pairs * a.heads * a.head_dim, (backward ? 4 : 2) * t * double(in[0].cols) * 4};
  }

  static std::vector<op_case<attention_op>> cases() {
    const auto qkv = [](index_t rows, index_t cols) {
      return case_input{.rows = rows, .cols = cols, .low = -2, .high = 2};
    };
    const auto segments = [](std::vector<std::int32_t> f) {
      return case_input{
          .rows = index_t(f.size()) / segment_fields, .cols = segment_fields, .gradient = false, .integers = f};
    };
    std::vector<std::int32_t> short_sequences;
    for (std::int32_t at = 0; at < 1600; at += 100)
      short_sequences.insert(short_sequences.end(), {at, at + 100, at, 0, 0});
    const attributes smollm{.heads = 9, .kv_heads = 3, .head_dim = 64, .scale = 0.125};
    // Two branches after a prompt of three rows, which is a sequence too.
    const std::vector<std::int32_t> branches{0, 3, 0, 0, 0, 3, 7, 3, 0, 3, 7, 9, 7, 0, 3};
    return {{.name = "one", .inputs = {qkv(1, 3), segments({0, 1, 0, 0, 0})}},
            {.name = "one_sequence",
             .attributes = {.head_dim = 2, .scale = 0.7},
             .inputs = {qkv(5, 6), segments({0, 5, 0, 0, 0})}},
            {.name = "two_and_dead_rows",
             .attributes = {.heads = 4, .kv_heads = 2, .head_dim = 2, .scale = 0.7},
             .inputs = {qkv(9, 16), segments({0, 3, 0, 0, 0, 4, 7, 4, 0, 0, 0, 0, 0, 0, 0})}},
            {.name = "no_sequence", .inputs = {qkv(3, 3), segments({0, 0, 0, 0, 0})}},
            {.name = "shared_prefix",
             .attributes = {.heads = 2, .head_dim = 3},
             .inputs = {qkv(10, 12), segments(branches)}},
            {.name = "window", .attributes = {.window = 3}, .inputs = {qkv(10, 3), segments(branches)}},
            {.name = "bidirectional",
             .attributes = {.heads = 2, .kv_heads = 2, .head_dim = 2, .causal = false},
             .inputs = {qkv(8, 12), segments({0, 5, 0, 0, 0, 5, 8, 5, 0, 0})}},
            {.name = "bidirectional_window_prefix",
             .attributes = {.window = 2, .causal = false},
             .inputs = {qkv(10, 3), segments(branches)}},
            {.name = "alibi",
             .attributes = {.heads = 3, .head_dim = 2, .alibi = true},
             .inputs = {qkv(10, 10), segments(branches)}},
            {.name = "interleaved",
             .attributes = {.heads = 2, .kv_heads = 2, .head_dim = 2, .interleaved = true},
             .inputs = {qkv(5, 12), segments({0, 5, 0, 0, 0})}},
            // Several tiles of queries and keys and more than one block of scores, with edges in all of them.
            {.name = "tiles",
             .attributes = {.heads = 2, .window = 66},
             .inputs = {qkv(85, 4), segments({0, 40, 0, 0, 0, 41, 44, 41, 1, 40, 44, 85, 44, 5, 41})}},
            {.name = "bidirectional_tiles",
             .attributes = {.causal = false},
             .inputs = {qkv(85, 3), segments({0, 70, 0, 0, 0, 70, 85, 70, 0, 0})}},
            {.name = "wide",
             .attributes = {.head_dim = 51, .scale = 0.2},
             .inputs = {qkv(9, 153), segments({0, 9, 0, 0, 0})}},
            {.name = "columns",
             .attributes = {.heads = 2, .head_dim = 2},
             .inputs = {qkv(3, 6), segments({0, 3, 0, 0, 0})},
             .must_throw = true},
            {.name = "groups",
             .attributes = {.heads = 3, .kv_heads = 2},
             .inputs = {qkv(3, 7), segments({0, 3, 0, 0, 0})},
             .must_throw = true},
            {.name = "wide_head",
             .attributes = {.head_dim = max_head_dim + 1},
             .inputs = {qkv(1, 3 * (max_head_dim + 1)), segments({0, 1, 0, 0, 0})},
             .must_throw = true},
            {.name = "fields",
             .inputs = {qkv(3, 3), {.rows = 1, .cols = 4, .gradient = false, .integers = {0, 3, 0, 0}}},
             .must_throw = true},
            {.name = "16x100",
             .attributes = smollm,
             .inputs = {qkv(1600, 960), segments(short_sequences)},
             .benchmark = true},
            {.name = "1x1600",
             .attributes = smollm,
             .inputs = {qkv(1600, 960), segments({0, 1600, 0, 0, 0})},
             .benchmark = true}};
  }
};

template <class B, class T>
var<T> attention(tape<B>& t, var<T> qkv, var<std::int32_t> segments, const attention_attributes& a) {
  return t.template apply<attention_op, T>(a, {qkv, segments});
}

}  // namespace mor1e::ops
