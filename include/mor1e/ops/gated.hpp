// Gated activations: one half of a row through a function, times the other half.
#pragma once

#include "mor1e/ops/elementwise.hpp"

namespace mor1e::ops {

/// y = f(gate) * up for x = [gate | up], f that of an elementwise op F.                  x [T, 2n] -> y [T, n]
/// dx = [dy up f'(gate) | dy f(gate)]; the backward reads x. Source: Shazeer 2020.
template <class F>
struct gated_op {
  static constexpr const char* label = F::gated_label;
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[0].cols % 2 == 0, label,
          "x is [gate | up], so its columns are even: ", describe("x", in[0], "tokens", "gate + up"));
    return {.outputs = {{in[0].rows, in[0].cols / 2}}, .backward_reads = reads(0), .cheap = true};
  }

  template <class B, class T>
  requires HasGated<B, T, F>
  static void forward(call<B, T> c, const attributes&) { gated_forward(c.device(), F{}, c.in(0), c.out()); }

  template <class B, class T>
  requires HasGated<B, T, F>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0);
    gated_backward(c.device(), F{}, c.in(0), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols) / 2;
    return {(backward ? 24 : 16) * n, (backward ? 5 : 3) * n * 4};
  }

  static std::vector<op_case<gated_op>> cases() {
    return {{.name = "one", .inputs = {{1, 2}}},
            {.name = "row", .inputs = {{1, 38}}},
            {.name = "rows", .inputs = {{5, 6, -4, 4}}},
            {.name = "odd", .inputs = {{4, 5}}, .must_throw = true},
            {.name = "2048x1536", .inputs = {{2048, 3072}}, .benchmark = true}};
  }
};

/// gated<silu_op>(tape, x)
template <class F, class B, class T>
var<T> gated(tape<B>& t, var<T> x) {
  return t.template apply<gated_op<F>, T>({}, {x});
}

}  // namespace mor1e::ops
