// Normal noise with random numbers that are a function of the step and the token.
#pragma once

#include "mor1e/ops/token_random.hpp"

namespace mor1e::ops {

/// y_ij = e_ij x_ij, e_ij standard normal; dx the same of dy
///   x [T, n], example and position of each token [T, 1], draw [1, 2] (halves of the step's key)  ->  y [T, n]
/// x is the deviation of each element. Nothing is kept: the backward draws e again. See noise_shape.
struct noise_op : token_random<noise_op, backend::noise_shape> {
  static constexpr const char* label = "noise";

  template <class B, class T, class Index>
  requires HasNoise<B, T>
  static void multiply(B& device, const attributes& s, view_of<B, const T> x, Index examples, Index positions,
                       Index draw, T beta, view_of<B, T> y) {
    multiply_noise(device, s, x, examples, positions, draw, beta, y);
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {60 * n, 2 * n * 4};
  }

  static std::vector<op_case<noise_op>> cases() {
    return {
        {.name = "one", .attributes = {1}, .inputs = {{1, 1}, numbers({0}), numbers({0}), key()}},
        {.name = "rows", .attributes = {2}, .inputs = {{4, 7}, numbers({0, 0, 1, -1}), numbers({0, 1, 0, 0}), key()}},
        {.name = "wide", .attributes = {3}, .inputs = {{3, 131}, numbers({5, 5, 6}), numbers({8, 9, 0}), key()}},
        {.name = "positions",
         .attributes = {1},
         .inputs = {{2, 3}, numbers({0, 1}), numbers({0}), key()},
         .must_throw = true},
        {.name = "2048x576",
         .attributes = {1},
         .inputs = {{2048, 576},
                    numbers(std::vector<std::int32_t>(2048, 1)),
                    numbers(std::vector<std::int32_t>(2048, 2)),
                    key()},
         .benchmark = true}};
  }
};

template <class B, class T>
var<T> noise(tape<B>& t, var<T> x, std::uint64_t site, var<std::int32_t> examples, var<std::int32_t> positions,
             var<std::int32_t> draw) {
  return t.template apply<noise_op, T>({site}, {x, examples, positions, draw});
}

}  // namespace mor1e::ops
