// Base of ops that are a function of one element.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/core/math.hpp"

namespace mor1e::ops {

/// y = f(x), dx = dy f'(x); the backward reads x.                                          x [T, n] -> y [T, n]
/// The op gives
///   static constexpr const char* label;
///   template <class T> static T f(T x);
///   template <class T> static T df(T x, T y);    // f'(x), given y = f(x)
/// without branches, through core/math.hpp, so that loops over them vectorise.
template <class Op>
struct elementwise {
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    return {.outputs = {{in[0].rows, in[0].cols}}, .backward_reads = reads(0), .cheap = true, .in_place = 0};
  }

  template <class B, class T>
  requires HasMap<B, T, Op>
  static void forward(call<B, T> c, const attributes&) { map_forward(c.device(), Op{}, c.in(0), c.out()); }

  template <class B, class T>
  requires HasMap<B, T, Op>
  static void backward(call<B, T> c, const attributes&) {
    const sink<T> dx = c.grad_in(0);
    map_backward(c.device(), Op{}, c.in(0), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double n = double(in[0].rows * in[0].cols);
    return {(backward ? 20 : 15) * n, (backward ? 3 : 2) * n * 4};
  }

  static std::vector<op_case<Op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "row", .inputs = {{1, 19}}},
            {.name = "rows", .inputs = {{5, 3, -4, 4}}},
            {.name = "far", .inputs = {{3, 7, -30, 30}}},
            {.name = "2048x1536", .inputs = {{2048, 1536}}, .benchmark = true}};
  }
};

}  // namespace mor1e::ops
