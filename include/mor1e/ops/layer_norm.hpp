// Layer normalisation of each row.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = w * (x - mean) * rstd + b, rstd = 1 / sqrt(variance + eps)    x [T, d], w [1, d], b [1, d] -> y [T, d]
/// Mean and variance (over d, not d - 1) are those of the row. Saves mean and rstd [T, 1].
/// Source: Ba, Kiros and Hinton 2016.
struct layer_norm_op {
  static constexpr const char* label = "layer_norm";
  struct attributes {
    double eps = 1e-5;
  };

  static signature shape(const attributes&, operands in) {
    for (int k = 1; k < 3; ++k)
      check(in[k].rows == 1 && in[k].cols == in[0].cols, label,
            k == 1 ? "one weight a column: " : "one bias a column: ", describe("x", in[0], "tokens", "d"), ", ",
            describe(k == 1 ? "w" : "b", in[k]));
    return {.outputs = {{in[0].rows, in[0].cols}},
            .saved = {{in[0].rows, 1}, {in[0].rows, 1}},
            .backward_reads = reads(0) | reads(1),
            .cheap = true};
  }

  template <class B, class T>
  requires HasLayerNorm<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    layer_norm_forward(c.device(), c.in(0), c.in(1), c.in(2), T(a.eps), c.out(), c.saved(0), c.saved(1));
  }

  template <class B, class T>
  requires HasLayerNorm<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const view_of<B, const T> mean = c.saved(0), rstd = c.saved(1), dy = c.grad_out();
    if (const auto dx = c.grad_in(0))
      layer_norm_backward(c.device(), c.in(0), c.in(1), mean, rstd, dy, dx.beta(), dx.to);
    if (const auto dw = c.grad_in(1)) layer_norm_weight_gradient(c.device(), c.in(0), mean, rstd, dy, dw.beta(), dw.to);
    if (const auto db = c.grad_in(2)) column_sums(c.device(), dy, db.beta(), db.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 14 : 7) * n, (backward ? 4 : 2) * n * 4};
  }

  static std::vector<op_case<layer_norm_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}, {1, 1, 0.5, 1.5}, {1, 1}}},
            {.name = "row", .inputs = {{1, 19}, {1, 19, 0.5, 1.5}, {1, 19}}},
            {.name = "rows", .attributes = {.eps = 1e-2}, .inputs = {{5, 6}, {1, 6}, {1, 6}}},
            {.name = "far_mean", .inputs = {{4, 7, 9, 11}, {1, 7}, {1, 7}}, .parity_tolerance = 1e-4},
            {.name = "short_weight", .inputs = {{4, 3}, {1, 2}, {1, 3}}, .must_throw = true},
            {.name = "tall_bias", .inputs = {{4, 3}, {1, 3}, {4, 3}}, .must_throw = true},
            {.name = "2048x576", .inputs = {{2048, 576}, {1, 576}, {1, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> layer_norm(tape<B>& t, var<T> x, var<T> w, var<T> b, double eps) {
  return t.template apply<layer_norm_op, T>({eps}, {x, w, b});
}

template <class B, class T>
value<B, T> layer_norm(value<B, T> x, value<B, T> w, value<B, T> b, double eps = 1e-5) {
  return on(x.tape(), layer_norm(x.tape(), x.var(), w.var(), b.var(), eps));
}

}  // namespace mor1e::ops
