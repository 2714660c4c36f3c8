// What exceeds a threshold.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = max(x_ij - s_i, 0)                                                  x [T, n], s [T, 1] -> y [T, n]
/// dx_ij = dy_ij and ds_i -= dy_ij where y_ij > 0.
struct excess_op {
  static constexpr const char* label = "excess";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[1].rows == in[0].rows && in[1].cols == 1, label, "one threshold a row: ", describe("x", in[0]), ", ",
          describe("s", in[1]));
    return {.outputs = {{in[0].rows, in[0].cols}}, .backward_reads = reads(2), .cheap = true};
  }

  template <class B, class T>
  requires HasExcess<B, T>
  static void forward(call<B, T> c, const attributes&) { excess_forward(c.device(), c.in(0), c.in(1), c.out()); }

  template <class B, class T>
  requires HasExcess<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0), ds = c.grad_in(1);
    excess_backward(c.device(), view_of<B, const T>(c.out()), c.grad_out(), dx.beta(), dx.to, ds.beta(), ds.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {2 * n, (backward ? 4 : 2) * n * 4};
  }

  static std::vector<op_case<excess_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1, 1, 2}, {1, 1, 0, 0.5}}},
            {.name = "some", .inputs = {{5, 19}, {5, 1, -0.3, 0.3}}},
            {.name = "none", .inputs = {{3, 4, 0, 1}, {3, 1, 2, 3}}},
            {.name = "thresholds_alone", .inputs = {{.rows = 3, .cols = 4, .gradient = false}, {3, 1, -0.3, 0.3}}},
            {.name = "a_row", .inputs = {{3, 4}, {1, 4}}, .must_throw = true},
            {.name = "2048x16", .inputs = {{2048, 16}, {2048, 1}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> excess(tape<B>& t, var<T> x, var<T> threshold) {
  return t.template apply<excess_op, T>({}, {x, threshold});
}

}  // namespace mor1e::ops
