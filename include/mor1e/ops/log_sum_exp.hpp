// Logarithm of the sum of exponentials of each row.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_i = log sum_j exp(x_ij); dx_ij = dy_i exp(x_ij - y_i)                                      x [T, n] -> y [T, 1]
struct log_sum_exp_op {
  static constexpr const char* label = "log_sum_exp";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[0].cols > 0, label, "a row must not be empty: ", describe("x", in[0]));
    return {.outputs = {{in[0].rows, 1}}, .backward_reads = reads(0) | reads(1), .cheap = true};
  }

  template <class B, class T>
  requires HasLogSumExp<B, T>
  static void forward(call<B, T> c, const attributes&) { log_sum_exp_forward(c.device(), c.in(0), c.out()); }

  template <class B, class T>
  requires HasLogSumExp<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0);
    log_sum_exp_backward(c.device(), c.in(0), view_of<B, const T>(c.out()), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {5 * n, (backward ? 2 : 1) * n * 4};
  }

  static std::vector<op_case<log_sum_exp_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "rows", .inputs = {{5, 19, -4, 4}}},
            {.name = "large_logits", .inputs = {{3, 5, 800, 820}}},
            {.name = "empty_row", .inputs = {{3, 0}}, .must_throw = true},
            {.name = "2048x16", .inputs = {{2048, 16}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> log_sum_exp(tape<B>& t, var<T> x) {
  return t.template apply<log_sum_exp_op, T>({}, {x});
}

template <class B, class T>
value<B, T> log_sum_exp(value<B, T> x) {
  return on(x.tape(), log_sum_exp(x.tape(), x.var()));
}

}  // namespace mor1e::ops
