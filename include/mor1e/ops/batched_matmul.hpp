// Products of blocks of rows.
#pragma once

#include <array>

#include "mor1e/autodiff/value.hpp"
#include "mor1e/ops/matmul.hpp"

namespace mor1e::ops {

/// y_i = op(a_i) op(b_i) for blocks i one below the other, each read as it is or transposed; gradients as in
/// ops/matmul.hpp, block by block. The backward reads a and b.
///   op(a_i) [m, k], op(b_i) [k, n], the rows of a and b being `batches` blocks of one shape -> y [batches m, n]
struct batched_matmul_op {
  static constexpr const char* label = "batched_matmul";
  struct attributes {
    index_t batches = 1;
    backend::transpose a = backend::transpose::no, b = backend::transpose::no;
  };

  static signature shape(const attributes& t, operands in) {
    for (int k = 0; k < 2; ++k)
      check(t.batches > 0 && in[k].rows % t.batches == 0, label, t.batches,
            " blocks do not divide the rows: ", describe(k == 0 ? "a" : "b", in[k]));
    const slot_size y = matmul_op::shape({t.a, t.b}, std::array{block(t, in[0]), block(t, in[1])}).outputs[0];
    return {.outputs = {{t.batches * y.rows, y.cols}}, .backward_reads = reads(0) | reads(1)};
  }

  template <class B, class T>
  requires HasBatchedGemm<B, T>
  static void forward(call<B, T> c, const attributes& t) {
    batched_gemm(c.device(), t.batches, t.a, t.b, T(1), c.in(0), c.in(1), T(0), c.out());
  }

  template <class B, class T>
  requires HasBatchedGemm<B, T>
  static void backward(call<B, T> c, const attributes& t) {
    matmul_gradients<B, T>(c, t.a, t.b,
                           [&](auto of_x, auto of_y, view_of<B, const T> x, view_of<B, const T> y, sink<B, T> to) {
                             batched_gemm(c.device(), t.batches, of_x, of_y, T(1), x, y, to.beta(), to.to);
                           });
  }

  static cost work(const attributes& t, operands in, bool backward) {
    const cost one = matmul_op::work({t.a, t.b}, std::array{block(t, in[0]), block(t, in[1])}, backward);
    return {double(t.batches) * one.flops, double(t.batches) * one.bytes};
  }

  static std::vector<op_case<batched_matmul_op>> cases() {
    constexpr auto no = backend::transpose::no, yes = backend::transpose::yes;
    return {
        {.name = "one", .inputs = {{1, 1}, {1, 1}}},
        {.name = "one_block", .inputs = {{3, 5}, {5, 7}}},
        {.name = "fewer_than_threads", .attributes = {2}, .inputs = {{6, 5}, {10, 7}}},
        {.name = "ab", .attributes = {4, no, no}, .inputs = {{12, 5}, {20, 7}}},
        {.name = "aTb", .attributes = {4, yes, no}, .inputs = {{20, 3}, {20, 7}}},
        {.name = "abT", .attributes = {4, no, yes}, .inputs = {{12, 5}, {28, 5}}},
        {.name = "aTbT", .attributes = {4, yes, yes}, .inputs = {{20, 3}, {28, 5}}},
        {.name = "one_gradient", .attributes = {5}, .inputs = {{15, 2}, {.rows = 10, .cols = 4, .gradient = false}}},
        {.name = "no_rows", .attributes = {3}, .inputs = {{0, 2}, {6, 4}}},
        {.name = "not_divided", .attributes = {4}, .inputs = {{10, 5}, {20, 7}}, .must_throw = true},
        {.name = "no_blocks", .attributes = {0}, .inputs = {{3, 5}, {5, 7}}, .must_throw = true},
        {.name = "inner_differs", .attributes = {4}, .inputs = {{12, 5}, {16, 7}}, .must_throw = true},
        {.name = "64x128x64x128",
         .attributes = {64, no, yes},
         .inputs = {{64 * 128, 64}, {64 * 128, 64}},
         .benchmark = true}};
  }

 private:
  static operand block(const attributes& t, operand x) {
    x.rows /= t.batches;
    return x;
  }
};

/// batched_matmul(t, a, b, batches), its blocks transposed as in matmul
template <class B, class T>
var<T> batched_matmul(tape<B>& t, var<T> a, var<T> b, index_t batches, backend::transpose of_a = backend::transpose::no,
                      backend::transpose of_b = backend::transpose::no) {
  return t.template apply<batched_matmul_op, T>({batches, of_a, of_b}, {a, b});
}

template <class B, class T>
value<B, T> batched_matmul(value<B, T> x, value<B, T> y, index_t batches,
                           backend::transpose of_x = backend::transpose::no,
                           backend::transpose of_y = backend::transpose::no) {
  return on(x.tape(), batched_matmul(tape_of(x, y), x.var(), y.var(), batches, of_x, of_y));
}

}  // namespace mor1e::ops
