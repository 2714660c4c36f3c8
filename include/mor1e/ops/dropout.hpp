// Dropout with random numbers that are a function of the step and the token.
#pragma once

#include "mor1e/ops/token_random.hpp"

namespace mor1e::ops {

/// y_ij = 0 with probability rate, else x_ij / (1 - rate); dx the same of dy
///   x [T, n], example and position of each token [T, 1], draw [1, 2] (halves of the step's key)  ->  y [T, n]
/// No mask is kept: the backward draws it again. See dropout_shape.
struct dropout_op : token_random<dropout_op, backend::dropout_shape> {
  static constexpr const char* label = "dropout";

  static signature shape(const attributes& s, operands in) {
    check(s.rate >= 0 && s.rate < 1, label, "a rate in [0, 1), not ", s.rate);
    return token_random::shape(s, in);
  }

  template <class B, class T, class Index>
  requires HasDropout<B, T>
  static void multiply(B& device, const attributes& s, view_of<B, const T> x, Index examples, Index positions,
                       Index draw, T beta, view_of<B, T> y) {
    dropout(device, s, x, examples, positions, draw, beta, y);
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {20 * n, 2 * n * 4};
  }

  static std::vector<op_case<dropout_op>> cases() {
    return {
        {.name = "one", .attributes = {0.5, 1}, .inputs = {{1, 1}, numbers({0}), numbers({0}), key()}},
        {.name = "rows",
         .attributes = {0.4, 2},
         .inputs = {{4, 7}, numbers({0, 0, 1, -1}), numbers({0, 1, 0, 0}), key()}},
        {.name = "wide", .attributes = {0.1, 3}, .inputs = {{3, 131}, numbers({5, 5, 6}), numbers({8, 9, 0}), key()}},
        {.name = "none", .attributes = {0, 1}, .inputs = {{2, 3}, numbers({0, 1}), numbers({0, 0}), key()}},
        {.name = "all",
         .attributes = {1, 1},
         .inputs = {{2, 3}, numbers({0, 1}), numbers({0, 0}), key()},
         .must_throw = true},
        {.name = "positions",
         .attributes = {0.5, 1},
         .inputs = {{2, 3}, numbers({0, 1}), numbers({0}), key()},
         .must_throw = true},
        {.name = "2048x576",
         .attributes = {0.1, 1},
         .inputs = {{2048, 576},
                    numbers(std::vector<std::int32_t>(2048, 1)),
                    numbers(std::vector<std::int32_t>(2048, 2)),
                    key()},
         .benchmark = true}};
  }
};

template <class B, class T>
var<T> dropout(tape<B>& t, var<T> x, double rate, std::uint64_t site, var<std::int32_t> examples,
               var<std::int32_t> positions, var<std::int32_t> draw) {
  return t.template apply<dropout_op, T>({rate, site}, {x, examples, positions, draw});
}

}  // namespace mor1e::ops
