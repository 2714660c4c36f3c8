// Sum of all elements.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = sum_ij x_ij, added in double; dx_ij = dy                                               x [T, n] -> y [1, 1]
struct sum_op {
  static constexpr const char* label = "sum";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands) { return {.outputs = {{1, 1}}}; }

  template <class B, class T>
  requires HasSum<B, T>
  static void forward(call<B, T> c, const attributes&) { sum(c.device(), c.in(0), T(0), c.out()); }

  template <class B, class T>
  requires HasSum<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const sink<T> dx = c.grad_in(0);
    broadcast(c.device(), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {1 * n, 1 * n * 4};
  }

  static std::vector<op_case<sum_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "rows", .inputs = {{5, 19}}},
            {.name = "tall", .inputs = {{200, 1}}},
            {.name = "2048x576", .inputs = {{2048, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> sum(tape<B>& t, var<T> x) {
  return t.template apply<sum_op, T>({}, {x});
}

}  // namespace mor1e::ops
