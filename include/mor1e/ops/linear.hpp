// Linear maps of the same input with trainable weights.
#pragma once

#include <array>

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = x W^T (+ b)                                           x [T, n], W [m, n], b [1, m] -> y [T, m]
/// dx = dy W, dW = dy^T x, db = column sums of dy. The backward reads x and W.
struct linear_op {
  static constexpr const char* label = "linear";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[0].cols == in[1].cols, label, "inner dimensions differ: ", describe("x", in[0], "tokens", "in"), ", ",
          describe("w", in[1], "out", "in"), "; ", in[0].cols, " != ", in[1].cols);
    check(in.size() == 2 || (in[2].rows == 1 && in[2].cols == in[1].rows), label,
          "one bias an output: ", describe("w", in[1], "out", "in"), in.size() > 2 ? ", " + describe("b", in[2]) : "");
    return {.outputs = {{in[0].rows, in[1].rows}}, .backward_reads = reads(0) | reads(1)};
  }

  template <class B, class T>
  requires HasGemm<B, T> && HasBias<B, T>
  static void forward(call<B, T> c, const attributes&) {
    gemm(c.device(), backend::transpose::no, backend::transpose::yes, T(1), c.in(0), c.in(1), T(0), c.out());
    if (c.inputs() == 3) add_bias(c.device(), c.in(2), c.out());
  }

  template <class B, class T>
  requires HasGemm<B, T> && HasBias<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const view_of<B, const T> dy = c.grad_out();
    if (const auto dx = c.grad_in(0))
      gemm(c.device(), backend::transpose::no, backend::transpose::no, T(1), dy, c.in(1), dx.beta(), dx.to);
    if (const auto dw = c.grad_in(1))
      gemm(c.device(), backend::transpose::yes, backend::transpose::no, T(1), dy, c.in(0), dw.beta(), dw.to);
    if (c.inputs() == 3)
      if (const auto db = c.grad_in(2)) column_sums(c.device(), dy, db.beta(), db.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double t = double(in[0].rows), n = double(in[0].cols), m = double(in[1].rows);
    return {(backward ? 4 : 2) * t * n * m, 4 * (t * n + n * m + t * m)};
  }

  static std::vector<op_case<linear_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}, {1, 1}}},
            {.name = "wide", .inputs = {{3, 5}, {7, 5}}},
            {.name = "tall", .inputs = {{6, 4}, {1, 4}}},
            {.name = "bias", .inputs = {{5, 3}, {4, 3}, {1, 4}}},
            {.name = "inner", .inputs = {{3, 5}, {7, 4}}, .must_throw = true},
            {.name = "short_bias", .inputs = {{3, 5}, {7, 5}, {1, 6}}, .must_throw = true},
            {.name = "2048x576x32", .inputs = {{2048, 576}, {32, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> linear(tape<B>& t, var<T> x, var<T> w, var<T> b = {}) {
  return b ? t.template apply<linear_op, T>({}, {x, w, b}) : t.template apply<linear_op, T>({}, {x, w});
}

template <class B, class T>
value<B, T> linear(value<B, T> x, value<B, T> w) {
  return on(x.tape(), linear(x.tape(), x.var(), w.var()));
}
template <class B, class T>
value<B, T> linear(value<B, T> x, value<B, T> w, value<B, T> b) {
  return on(x.tape(), linear(x.tape(), x.var(), w.var(), b.var()));
}

}  // namespace mor1e::ops
