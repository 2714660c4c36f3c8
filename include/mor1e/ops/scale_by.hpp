// A learned multiple.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = s x; dx = s dy, ds = <x, dy> (added in double)                               x [T, n], s [1, 1] -> y [T, n]
struct scale_by_op {
  static constexpr const char* label = "scale_by";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in[1].rows == 1 && in[1].cols == 1, label, "one number: ", describe("s", in[1]));
    return {.outputs = {{in[0].rows, in[0].cols}}, .backward_reads = reads(0) | reads(1), .cheap = true, .in_place = 0};
  }

  template <class B, class T>
  requires HasScaleBy<B, T>
  static void forward(call<B, T> c, const attributes&) { scale_by(c.device(), c.in(1), c.in(0), T(0), c.out()); }

  template <class B, class T>
  requires HasScaleBy<B, T>
  static void backward(call<B, T> c, const attributes&) {
    if (const auto dx = c.grad_in(0)) scale_by(c.device(), c.in(1), c.grad_out(), dx.beta(), dx.to);
    if (const auto ds = c.grad_in(1)) dot(c.device(), c.in(0), c.grad_out(), ds.beta(), ds.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 3 : 1) * n, (backward ? 4 : 2) * n * 4};
  }

  static std::vector<op_case<scale_by_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}, {1, 1}}},
            {.name = "rows", .inputs = {{5, 19}, {1, 1}}},
            {.name = "tall", .inputs = {{200, 1}, {1, 1}}},
            {.name = "a_row", .inputs = {{4, 5}, {1, 5}}, .must_throw = true},
            {.name = "2048x576", .inputs = {{2048, 576}, {1, 1}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> scale_by(tape<B>& t, var<T> x, var<T> s) {
  return t.template apply<scale_by_op, T>({}, {x, s});
}

}  // namespace mor1e::ops
