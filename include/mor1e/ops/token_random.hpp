// Base of ops that multiply by random numbers which are a function of the step and the token.
#pragma once

#include <utility>
#include <vector>

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = r_ij x_ij; dx the same of dy. Nothing is kept of r: the backward draws it again.
///   x [T, n], example and position of each token [T, 1], draw [1, 2] (halves of the step's key)  ->  y [T, n]
/// The op gives its label, cases, work, and the primitive that multiplies:
///   template <class B, class T> static void multiply(B& device, const attributes&, x, examples, positions, draw, T
///   beta,
///                                                    y);
template <class Op, class Attributes>
struct token_random {
  using attributes = Attributes;

  static signature shape(const attributes&, operands in) {
    check(in[1].rows == in[0].rows && in[2].rows == in[0].rows, Op::label,
          "one example and position a token: ", describe("x", in[0], "tokens"), ", ",
          describe("examples", in[1], "tokens"), ", ", describe("positions", in[2], "tokens"));
    check(in[3].rows * in[3].cols == 2, Op::label, "two halves of a key: ", describe("draw", in[3]));
    return {.outputs = {{in[0].rows, in[0].cols}},
            .backward_reads = reads(1) | reads(2) | reads(3),
            .cheap = true,
            .in_place = 0};
  }

  template <class B, class T>
  static void forward(call<B, T> c, const attributes& s) {
    apply(c, s, c.in(0), T(0), c.out());
  }
  template <class B, class T>
  static void backward(call<B, T> c, const attributes& s) {
    const auto dx = c.grad_in(0);
    apply(c, s, c.grad_out(), dx.beta(), dx.to);
  }

 protected:
  /// A column of integers, and a key, as inputs of a case.
  static case_input numbers(std::vector<std::int32_t> of) {
    const index_t rows = index_t(of.size());
    return case_input{.rows = rows, .cols = 1, .gradient = false, .integers = std::move(of)};
  }
  static case_input key() { return {.rows = 1, .cols = 2, .gradient = false, .integers = {7, -3}}; }

 private:
  template <class B, class T>
  static void apply(call<B, T> c, const attributes& s, view_of<B, const T> from, T beta, view_of<B, T> to) {
    Op::multiply(c.device(), s, from, c.template in_as<std::int32_t>(1), c.template in_as<std::int32_t>(2),
                 c.template in_as<std::int32_t>(3), beta, to);
  }
};

}  // namespace mor1e::ops
