// A linear map of each block of columns by a matrix of its own.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y_p = x_p W_p^T for blocks p side by side: x = [x_0 | x_1 | ...] [T, P n], W = W_0 over W_1 over ... [P m, n]  ->  y
/// [T, P m] dx_p = dy_p W_p, dW_p = dy_p^T x_p. The backward reads x and W.
struct block_linear_op {
  static constexpr const char* label = "block_linear";

  static signature shape(const no_attributes&, operands in) {
    const index_t blocks = in[1].cols > 0 ? in[0].cols / in[1].cols : 0;
    check(blocks > 0 && in[0].cols == blocks * in[1].cols && in[1].rows % blocks == 0, label,
          "blocks do not fit: ", describe("x", in[0], "tokens", "blocks x in"), ", ",
          describe("w", in[1], "blocks x out", "in"));
    return {.outputs = {{in[0].rows, in[1].rows}}, .backward_reads = reads(0) | reads(1)};
  }
  using attributes = no_attributes;

  /// f(first column of x, n, first row of W, m)
  template <class B, class T, class F>
  static void each(call<B, T> c, F f) {
    const index_t n = c.in(1).cols, blocks = c.in(0).cols / n, m = c.in(1).rows / blocks;
    for (index_t p = 0; p < blocks; ++p) f(p * n, n, p * m, m);
  }

  template <class B, class T>
  requires HasGemm<B, T>
  static void forward(call<B, T> c, const attributes&) {
    each(c, [&](index_t x, index_t n, index_t w, index_t m) {
      gemm(c.device(), backend::transpose::no, backend::transpose::yes, T(1), c.in(0).col_range(x, n),
           c.in(1).row_range(w, m), T(0), c.out().col_range(w, m));
    });
  }

  template <class B, class T>
  requires HasGemm<B, T>
  static void backward(call<B, T> c, const attributes&) {
    each(c, [&](index_t x, index_t n, index_t w, index_t m) {
      const view_of<B, const T> dy = c.grad_out().col_range(w, m);
      if (const auto dx = c.grad_in(0))
        gemm(c.device(), backend::transpose::no, backend::transpose::no, T(1), dy, c.in(1).row_range(w, m), dx.beta(),
             dx.to.col_range(x, n));
      if (const auto dw = c.grad_in(1))
        gemm(c.device(), backend::transpose::yes, backend::transpose::no, T(1), dy, c.in(0).col_range(x, n), dw.beta(),
             dw.to.row_range(w, m));
    });
  }

  static cost work(const attributes&, operands in, bool backward) {
    const double t = double(in[0].rows), n = double(in[1].cols), all = double(in[1].rows);
    return {(backward ? 4 : 2) * t * n * all, 4 * (t * double(in[0].cols) + n * all + t * all)};
  }

  static std::vector<op_case<block_linear_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}, {1, 1}}},
            {.name = "one_block", .inputs = {{3, 5}, {7, 5}}},
            {.name = "blocks", .inputs = {{4, 15}, {6, 5}}},
            {.name = "inner", .inputs = {{3, 7}, {6, 5}}, .must_throw = true},
            {.name = "outer", .inputs = {{3, 10}, {5, 5}}, .must_throw = true},
            {.name = "2048x3x32", .inputs = {{2048, 96}, {96, 32}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> block_linear(tape<B>& t, var<T> x, var<T> w) {
  return t.template apply<block_linear_op, T>({}, {x, w});
}

}  // namespace mor1e::ops
