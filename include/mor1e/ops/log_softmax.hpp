// Logarithm of the softmax of each row.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = x_ij - log sum_j exp(x_ij)                                                       x [T, n] -> y [T, n]
/// The backward reads y alone: dx_ij = dy_ij - exp(y_ij) sum_j dy_ij.
struct log_softmax_op {
  static constexpr const char* label = "log_softmax";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[0].cols > 0, label, "a row must not be empty: ", describe("x", in[0]));
    return {.outputs = {{in[0].rows, in[0].cols}}, .backward_reads = reads(1), .cheap = true, .in_place = 0};
  }

  template <class B, class T>
  requires HasLogSoftmax<B, T>
  static void forward(call<B, T> c, const attributes&) { log_softmax_forward(c.device(), c.in(0), c.out()); }

  template <class B, class T>
  requires HasLogSoftmax<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0);
    log_softmax_backward(c.device(), view_of<B, const T>(c.out()), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {15 * n, (backward ? 3 : 2) * n * 4};
  }

  static std::vector<op_case<log_softmax_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "row", .inputs = {{1, 19}}},
            {.name = "tall", .inputs = {{9, 3, -4, 4}}},
            {.name = "large_logits", .inputs = {{3, 5, 800, 820}}},
            {.name = "empty_row", .inputs = {{3, 0}}, .must_throw = true},
            {.name = "2048x32", .inputs = {{2048, 32}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> log_softmax(tape<B>& t, var<T> x) {
  return t.template apply<log_softmax_op, T>({}, {x});
}

template <class B, class T>
value<B, T> log_softmax(value<B, T> x) {
  return on(x.tape(), log_softmax(x.tape(), x.var()));
}

}  // namespace mor1e::ops
