// The transpose of a matrix.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = x_ji, dx = dy^T                                                                      x [T, n] -> y [n, T]
/// A product reads its operands transposed without this: ops/matmul.hpp.
struct transpose_op {
  static constexpr const char* label = "transpose";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    return {.outputs = {{in[0].cols, in[0].rows}}, .cheap = true};
  }

  template <class B, class T>
  requires HasTransposed<B, T>
  static void forward(call<B, T> c, const attributes&) { transposed(c.device(), c.in(0), T(0), c.out()); }

  template <class B, class T>
  requires HasTransposed<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0);
    transposed(c.device(), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool) { return {0, 2 * double(in[0].rows * in[0].cols) * 4}; }

  static std::vector<op_case<transpose_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "row", .inputs = {{1, 19}}},
            {.name = "column", .inputs = {{70, 1}}},
            {.name = "rows", .inputs = {{5, 3}}},
            {.name = "tiles", .inputs = {{37, 69}}},
            {.name = "no_rows", .inputs = {{0, 3}}},
            {.name = "2048x576", .inputs = {{2048, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> transpose(tape<B>& t, var<T> x) {
  return t.template apply<transpose_op, T>({}, {x});
}

template <class B, class T>
value<B, T> transpose(value<B, T> x) {
  return on(x.tape(), transpose(x.tape(), x.var()));
}

}  // namespace mor1e::ops
