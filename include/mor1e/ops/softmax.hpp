// Softmax of each row.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = exp(x_ij - max_j x_ij) / sum_j exp(x_ij - max_j x_ij)                          x [T, n] -> y [T, n]
/// The backward reads y alone: dx = y * (dy - <dy, y>).
struct softmax_op {
  static constexpr const char* label = "softmax";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[0].cols > 0, label, "a row must not be empty: ", describe("x", in[0]));
    return {.outputs = {{in[0].rows, in[0].cols}}, .backward_reads = reads(1), .cheap = true, .in_place = 0};
  }

  template <class B, class T>
  requires HasSoftmax<B, T>
  static void forward(call<B, T> c, const attributes&) { softmax_forward(c.device(), c.in(0), c.out()); }

  template <class B, class T>
  requires HasSoftmax<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0);
    softmax_backward(c.device(), view_of<B, const T>(c.out()), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 4 : 5) * n, (backward ? 3 : 2) * n * 4};
  }

  static std::vector<op_case<softmax_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "row", .inputs = {{1, 7}}},
            {.name = "tall", .inputs = {{9, 3, -4, 4}}},
            {.name = "large_logits", .inputs = {{3, 5, 80, 90}}},
            {.name = "empty_row", .inputs = {{3, 0}}, .must_throw = true},
            {.name = "2048x32", .inputs = {{2048, 32}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> softmax(tape<B>& t, var<T> x) {
  return t.template apply<softmax_op, T>({}, {x});
}

template <class B, class T>
value<B, T> softmax(value<B, T> x) {
  return on(x.tape(), softmax(x.tape(), x.var()));
}

}  // namespace mor1e::ops
