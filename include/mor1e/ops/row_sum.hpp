// Sum of each row.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_i = sum_j x_ij; dx_ij = dy_i                                                             x [T, n] -> y [T, 1]
struct row_sum_op {
  static constexpr const char* label = "row_sum";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) { return {.outputs = {{in[0].rows, 1}}, .cheap = true}; }

  template <class B, class T>
  requires HasRowSums<B, T>
  static void forward(call<B, T> c, const attributes&) { row_sums(c.device(), c.in(0), c.out()); }

  template <class B, class T>
  requires HasRowSums<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const sink<T> dx = c.grad_in(0);
    broadcast(c.device(), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {1 * n, 1 * n * 4};
  }

  static std::vector<op_case<row_sum_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "row", .inputs = {{1, 19}}},
            {.name = "rows", .inputs = {{5, 3}}},
            {.name = "2048x576", .inputs = {{2048, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> row_sum(tape<B>& t, var<T> x) {
  return t.template apply<row_sum_op, T>({}, {x});
}

}  // namespace mor1e::ops
