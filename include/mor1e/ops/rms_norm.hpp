// Root-mean-square normalisation of each row.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = (offset + w) * x * rstd, rstd = 1 / sqrt(mean_j x_j^2 + eps)             x [T, d], w [1, d] -> y [T, d]
/// Saves rstd [T, 1]. `offset` is 0 for Llama (w), 1 for Gemma (1 + w).
/// Source: Zhang and Sennrich 2019, eq. 4.
struct rms_norm_op {
  static constexpr const char* label = "rms_norm";
  struct attributes {
    double eps = 1e-5;
    double offset = 0;
  };

  static signature shape(const attributes&, operands in) {
    check(in[1].rows == 1 && in[1].cols == in[0].cols, label,
          "one weight a column: ", describe("x", in[0], "tokens", "d"), ", ", describe("w", in[1]));
    return {.outputs = {{in[0].rows, in[0].cols}},
            .saved = {{in[0].rows, 1}},
            .backward_reads = reads(0) | reads(1),
            .cheap = true};
  }

  template <class B, class T>
  requires HasRmsNorm<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    rms_norm_forward(c.device(), c.in(0), c.in(1), T(a.eps), T(a.offset), c.out(), c.saved());
  }

  template <class B, class T>
  requires HasRmsNorm<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const view_of<B, const T> rstd = c.saved();
    if (const auto dx = c.grad_in(0))
      rms_norm_backward(c.device(), c.in(0), c.in(1), T(a.offset), rstd, c.grad_out(), dx.beta(), dx.to);
    if (const auto dw = c.grad_in(1))
      rms_norm_weight_gradient(c.device(), c.in(0), rstd, c.grad_out(), dw.beta(), dw.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 9 : 4) * n, (backward ? 4 : 2) * n * 4};
  }

  static std::vector<op_case<rms_norm_op>> cases() {
    // One element: dx is the difference of two nearly equal numbers, so float has few digits of it.
    return {
        {.name = "one", .inputs = {{1, 1}, {1, 1, 0.5, 1.5}}, .parity_tolerance = 1e-3},
        {.name = "row", .inputs = {{1, 7}, {1, 7, 0.5, 1.5}}},
        {.name = "rows", .attributes = {.eps = 1e-2}, .inputs = {{5, 6}, {1, 6, 0.5, 1.5}}},
        {.name = "gemma", .attributes = {.offset = 1}, .inputs = {{4, 3}, {1, 3}}},
        {.name = "frozen_weight", .inputs = {{4, 3}, {.rows = 1, .cols = 3, .gradient = false}}},
        {.name = "short_weight", .inputs = {{4, 3}, {1, 2}}, .must_throw = true},
        {.name = "2048x576", .inputs = {{2048, 576}, {.rows = 1, .cols = 576, .gradient = false}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> rms_norm(tape<B>& t, var<T> x, var<T> w, double eps, double offset = 0) {
  return t.template apply<rms_norm_op, T>({eps, offset}, {x, w});
}

template <class B, class T>
value<B, T> rms_norm(value<B, T> x, value<B, T> w, double eps = 1e-5, double offset = 0) {
  return on(x.tape(), rms_norm(x.tape(), x.var(), w.var(), eps, offset));
}

}  // namespace mor1e::ops
