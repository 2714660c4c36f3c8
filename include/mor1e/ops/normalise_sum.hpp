// Rows that add up to one.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = x_ij / sum_j x_ij for x >= 0; a row of zeros stays one                          x [T, n] -> y [T, n]
/// dx = (dy - <dy, y>) / sum x
struct normalise_sum_op {
  static constexpr const char* label = "normalise_sum";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    return {.outputs = {{in[0].rows, in[0].cols}}, .backward_reads = reads(0) | reads(1), .cheap = true};
  }

  template <class B, class T>
  requires HasNormaliseSum<B, T>
  static void forward(call<B, T> c, const attributes&) { normalise_sum_forward(c.device(), c.in(0), c.out()); }

  template <class B, class T>
  requires HasNormaliseSum<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0);
    normalise_sum_backward(c.device(), c.in(0), view_of<B, const T>(c.out()), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 5 : 2) * n, (backward ? 4 : 2) * n * 4};
  }

  static std::vector<op_case<normalise_sum_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1, 0.5, 1}}},
            {.name = "rows", .inputs = {{5, 19, 0, 1}}},
            {.name = "small", .inputs = {{3, 4, 0.01, 0.02}}},
            {.name = "zeros", .inputs = {{.rows = 3, .cols = 4, .low = 0, .high = 0, .gradient = false}}},
            {.name = "2048x16", .inputs = {{2048, 16, 0, 1}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> normalise_sum(tape<B>& t, var<T> x) {
  return t.template apply<normalise_sum_op, T>({}, {x});
}

}  // namespace mor1e::ops
