// Dropout with random numbers that are a function of the step and the token.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = 0 with probability rate, else x_ij / (1 - rate); dx the same of dy
///   x [T, n], example and position of each token [T, 1], draw [1, 2] (halves of the step's key)  ->  y [T, n]
/// No mask is kept: the backward draws it again. See dropout_shape.
struct dropout_op {
  static constexpr const char* label = "dropout";
  using attributes = backend::dropout_shape;

  static signature shape(const attributes& s, operands in) {
    check(s.rate >= 0 && s.rate < 1, label, "a rate in [0, 1), not ", s.rate);
    check(in[1].rows == in[0].rows && in[2].rows == in[0].rows, label,
          "one example and position a token: ", describe("x", in[0], "tokens"), ", ",
          describe("examples", in[1], "tokens"), ", ", describe("positions", in[2], "tokens"));
    check(in[3].rows * in[3].cols == 2, label, "two halves of a key: ", describe("draw", in[3]));
    return {.outputs = {{in[0].rows, in[0].cols}},
            .backward_reads = reads(1) | reads(2) | reads(3),
            .cheap = true,
            .in_place = 0};
  }

  template <class B, class T>
  requires HasDropout<B, T>
  static void apply(call<B, T> c, const attributes& s, view_of<B, const T> from, T beta, view_of<B, T> to) {
    dropout(c.device(), s, from, c.template in_as<std::int32_t>(1), c.template in_as<std::int32_t>(2),
            c.template in_as<std::int32_t>(3), beta, to);
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

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {20 * n, 2 * n * 4};
  }

  static std::vector<op_case<dropout_op>> cases() {
    const auto numbers = [](std::vector<std::int32_t> of) {
      const index_t rows = index_t(of.size());
      return case_input{.rows = rows, .cols = 1, .gradient = false, .integers = std::move(of)};
    };
    const case_input draw{.rows = 1, .cols = 2, .gradient = false, .integers = {7, -3}};
    return {
        {.name = "one", .attributes = {0.5, 1}, .inputs = {{1, 1}, numbers({0}), numbers({0}), draw}},
        {.name = "rows",
         .attributes = {0.4, 2},
         .inputs = {{4, 7}, numbers({0, 0, 1, -1}), numbers({0, 1, 0, 0}), draw}},
        {.name = "wide", .attributes = {0.1, 3}, .inputs = {{3, 131}, numbers({5, 5, 6}), numbers({8, 9, 0}), draw}},
        {.name = "none", .attributes = {0, 1}, .inputs = {{2, 3}, numbers({0, 1}), numbers({0, 0}), draw}},
        {.name = "all",
         .attributes = {1, 1},
         .inputs = {{2, 3}, numbers({0, 1}), numbers({0, 0}), draw},
         .must_throw = true},
        {.name = "positions",
         .attributes = {0.5, 1},
         .inputs = {{2, 3}, numbers({0, 1}), numbers({0}), draw},
         .must_throw = true},
        {.name = "2048x576",
         .attributes = {0.1, 1},
         .inputs = {{2048, 576},
                    numbers(std::vector<std::int32_t>(2048, 1)),
                    numbers(std::vector<std::int32_t>(2048, 2)),
                    draw},
         .benchmark = true}};
  }
};

template <class B, class T>
var<T> dropout(tape<B>& t, var<T> x, double rate, std::uint64_t site, var<std::int32_t> examples,
               var<std::int32_t> positions, var<std::int32_t> draw) {
  return t.template apply<dropout_op, T>({rate, site}, {x, examples, positions, draw});
}

}  // namespace mor1e::ops
