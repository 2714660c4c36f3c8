// Normal noise with random numbers that are a function of the step and the token.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_ij = e_ij x_ij, e_ij standard normal; dx the same of dy
///   x [T, n], example and position of each token [T, 1], draw [1, 2] (halves of the step's key)  ->  y [T, n]
/// x is the deviation of each element. Nothing is kept: the backward draws e again. See noise_shape.
struct noise_op {
  static constexpr const char* label = "noise";
  using attributes = backend::noise_shape;

  static signature shape(const attributes&, operands in) {
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
  requires HasNoise<B, T>
  static void apply(call<B, T> c, const attributes& s, view_of<B, const T> from, T beta, view_of<B, T> to) {
    multiply_noise(c.device(), s, from, c.template in_as<std::int32_t>(1), c.template in_as<std::int32_t>(2),
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
    return {60 * n, 2 * n * 4};
  }

  static std::vector<op_case<noise_op>> cases() {
    const auto numbers = [](std::vector<std::int32_t> of) {
      const index_t rows = index_t(of.size());
      return case_input{.rows = rows, .cols = 1, .gradient = false, .integers = std::move(of)};
    };
    const case_input draw{.rows = 1, .cols = 2, .gradient = false, .integers = {7, -3}};
    return {
        {.name = "one", .attributes = {1}, .inputs = {{1, 1}, numbers({0}), numbers({0}), draw}},
        {.name = "rows", .attributes = {2}, .inputs = {{4, 7}, numbers({0, 0, 1, -1}), numbers({0, 1, 0, 0}), draw}},
        {.name = "wide", .attributes = {3}, .inputs = {{3, 131}, numbers({5, 5, 6}), numbers({8, 9, 0}), draw}},
        {.name = "positions",
         .attributes = {1},
         .inputs = {{2, 3}, numbers({0, 1}), numbers({0}), draw},
         .must_throw = true},
        {.name = "2048x576",
         .attributes = {1},
         .inputs = {{2048, 576},
                    numbers(std::vector<std::int32_t>(2048, 1)),
                    numbers(std::vector<std::int32_t>(2048, 2)),
                    draw},
         .benchmark = true}};
  }
};

template <class B, class T>
var<T> noise(tape<B>& t, var<T> x, std::uint64_t site, var<std::int32_t> examples, var<std::int32_t> positions,
             var<std::int32_t> draw) {
  return t.template apply<noise_op, T>({site}, {x, examples, positions, draw});
}

}  // namespace mor1e::ops
