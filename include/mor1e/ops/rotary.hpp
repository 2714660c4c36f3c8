// Rotary position embedding: turns pairs of columns by angles that grow with the position.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// In each of the first `heads` blocks of `head_dim` columns, with r = rotary_dim and i < r/2:
///   y_i = x_i cos_i - x_{i+r/2} sin_i;  y_{i+r/2} = x_{i+r/2} cos_i + x_i sin_i;  all other columns are copied
///   x [T, W], table [T, r] = [cos | sin] of rotary_table -> y [T, W]
/// On a fused projection `heads` counts the query and the key heads. The backward turns by minus the angle. The table
/// gets no gradient.
struct rotary_op {
  static constexpr const char* label = "rotary";
  struct attributes {
    int heads = 1;
    int head_dim = 1;
  };

  static signature shape(const attributes& a, operands in) {
    check(a.heads > 0 && a.head_dim > 0 && index_t(a.heads) * a.head_dim <= in[0].cols, label, a.heads, " heads of ",
          a.head_dim, " columns do not fit ", describe("x", in[0], "tokens", "columns"));
    check(in[1].rows == in[0].rows, label, "one row of angles a token: ", describe("x", in[0], "tokens", "columns"),
          ", ", describe("table", in[1], "tokens", "rotary_dim"));
    check(in[1].cols % 2 == 0 && in[1].cols <= a.head_dim, label, "a head of ", a.head_dim, " columns cannot turn by ",
          describe("table", in[1], "tokens", "rotary_dim"));
    return {.outputs = {{in[0].rows, in[0].cols}}, .backward_reads = reads(1), .in_place = 0};
  }

  template <class B, class T>
  requires HasRotary<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    rotary_turn(c.device(), a.heads, a.head_dim, T(1), c.in(0), c.in(1), T(0), c.out());
  }

  template <class B, class T>
  requires HasRotary<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    if (const auto dx = c.grad_in(0))
      rotary_turn(c.device(), a.heads, a.head_dim, T(-1), c.grad_out(), c.in(1), dx.beta(), dx.to);
  }

  static cost work(const attributes& a, operands in, bool) {
    const double turned = double(in[0].rows) * a.heads * double(in[1].cols);
    return {3 * turned, (2 * double(in[0].rows * in[0].cols) + double(in[1].rows * in[1].cols)) * 4};
  }

  static std::vector<op_case<rotary_op>> cases() {
    const auto table = [](index_t t, index_t r) { return case_input{.rows = t, .cols = r, .gradient = false}; };
    return {{.name = "one", .attributes = {.head_dim = 2}, .inputs = {{1, 2}, table(1, 2)}},
            {.name = "heads", .attributes = {.heads = 3, .head_dim = 4}, .inputs = {{5, 12}, table(5, 4)}},
            {.name = "values_stay", .attributes = {.heads = 2, .head_dim = 4}, .inputs = {{3, 13}, table(3, 4)}},
            {.name = "part_of_head", .attributes = {.heads = 2, .head_dim = 9}, .inputs = {{4, 27}, table(4, 6)}},
            {.name = "width",
             .attributes = {.heads = 2, .head_dim = 4},
             .inputs = {{3, 7}, table(3, 4)},
             .must_throw = true},
            {.name = "wide_table", .attributes = {.head_dim = 4}, .inputs = {{3, 4}, table(3, 6)}, .must_throw = true},
            {.name = "rows", .attributes = {.head_dim = 4}, .inputs = {{3, 4}, table(2, 4)}, .must_throw = true},
            {.name = "2048x960",
             .attributes = {.heads = 12, .head_dim = 64},
             .inputs = {{2048, 960}, table(2048, 64)},
             .benchmark = true}};
  }
};

template <class B, class T>
var<T> rotary(tape<B>& t, var<T> x, var<T> table, int heads, int head_dim) {
  return t.template apply<rotary_op, T>({heads, head_dim}, {x, table});
}

}  // namespace mor1e::ops
