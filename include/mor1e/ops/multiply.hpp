// Product of two matrices, element by element.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = a * b; da = dy * b, db = dy * a                                            a [T, n], b [T, n] -> y [T, n]
struct multiply_op {
  static constexpr const char* label = "multiply";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[0].rows == in[1].rows && in[0].cols == in[1].cols, label, "shapes differ: ", describe("a", in[0]), ", ",
          describe("b", in[1]));
    return {.outputs = {{in[0].rows, in[0].cols}}, .backward_reads = reads(0) | reads(1), .cheap = true, .in_place = 0};
  }

  template <class B, class T>
  requires HasMultiply<B, T>
  static void forward(call<B, T> c, const attributes&) { multiply(c.device(), c.in(0), c.in(1), T(0), c.out()); }

  template <class B, class T>
  requires HasMultiply<B, T>
  static void backward(call<B, T> c, const attributes&) {
    for (int k = 0; k < 2; ++k)
      if (const auto dx = c.grad_in(k)) multiply(c.device(), c.grad_out(), c.in(1 - k), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 2 : 1) * n, (backward ? 6 : 3) * n * 4};
  }

  static std::vector<op_case<multiply_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}, {1, 1}}},
            {.name = "rows", .inputs = {{5, 19}, {5, 19}}},
            {.name = "one_gradient", .inputs = {{3, 2}, {.rows = 3, .cols = 2, .gradient = false}}},
            {.name = "rows_differ", .inputs = {{4, 5}, {1, 5}}, .must_throw = true},
            {.name = "2048x576", .inputs = {{2048, 576}, {2048, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> multiply(tape<B>& t, var<T> a, var<T> b) {
  return t.template apply<multiply_op, T>({}, {a, b});
}

}  // namespace mor1e::ops
