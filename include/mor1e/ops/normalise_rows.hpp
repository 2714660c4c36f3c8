// Rows of length one.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = r x, r = 1 / max(|x|, eps) with the Euclidean length of the row                        x [T, n] -> y [T, n]
/// Saves r [T, 1]; the backward reads y: dx = r (dy - y <y, dy>), or r dy where |x| < eps.
struct normalise_rows_op {
  static constexpr const char* label = "normalise_rows";
  struct attributes {
    double eps = 1e-12;
  };

  static signature shape(const attributes&, operands in) {
    return {.outputs = {{in[0].rows, in[0].cols}},
            .saved = {{in[0].rows, 1}},
            .backward_reads = reads(1),
            .cheap = true,
            .in_place = 0};
  }

  template <class B, class T>
  requires HasNormaliseRows<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    normalise_rows_forward(c.device(), c.in(0), T(a.eps), c.out(), c.saved());
  }

  template <class B, class T>
  requires HasNormaliseRows<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const auto dx = c.grad_in(0);
    const view_of<B, const T> y = c.out(), r = c.saved();
    normalise_rows_backward(c.device(), y, r, T(a.eps), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 5 : 3) * n, (backward ? 3 : 2) * n * 4};
  }

  static std::vector<op_case<normalise_rows_op>> cases() {
    // One column: dx is the difference of two nearly equal numbers, so float has few digits of it.
    return {{.name = "column", .inputs = {{3, 1, 0.5, 1}}, .parity_tolerance = 1e-3},
            {.name = "row", .inputs = {{1, 19}}},
            {.name = "rows", .inputs = {{5, 3}}},
            {.name = "short", .attributes = {.eps = 10}, .inputs = {{4, 3}}},
            {.name = "2048x384", .inputs = {{2048, 384}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> normalise_rows(tape<B>& t, var<T> x, double eps = 1e-12) {
  return t.template apply<normalise_rows_op, T>({eps}, {x});
}

template <class B, class T>
value<B, T> normalise_rows(value<B, T> x, double eps = 1e-12) {
  return on(x.tape(), normalise_rows(x.tape(), x.var(), eps));
}

}  // namespace mor1e::ops
