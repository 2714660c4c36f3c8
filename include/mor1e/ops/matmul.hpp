// Product of two matrices, both variables.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// The products that give the gradients of op_a(a) op_b(b): product(op_x, op_y, x, y, to) for to = op_x(x) op_y(y).
template <class B, class T, class F>
void matmul_gradients(call<B, T> c, backend::transpose op_a, backend::transpose op_b, const F& product) {
  using backend::transpose;
  const auto flipped = [](transpose t) { return t == transpose::no ? transpose::yes : transpose::no; };
  const view_of<B, const T> dy = c.grad_out(), a = c.in(0), b = c.in(1);
  if (const auto da = c.grad_in(0))
    op_a == transpose::no ? product(transpose::no, flipped(op_b), dy, b, da) : product(op_b, transpose::yes, b, dy, da);
  if (const auto db = c.grad_in(1))
    op_b == transpose::no ? product(flipped(op_a), transpose::no, a, dy, db) : product(transpose::yes, op_a, dy, a, db);
}

/// y = op(a) op(b), each read as it is or transposed.                     op(a) [m, k], op(b) [k, n] -> y [m, n]
/// d op(a) = dy op(b)^T, d op(b) = op(a)^T dy. The backward reads a and b. For a weight [out, in] see ops/linear.hpp.
struct matmul_op {
  static constexpr const char* label = "matmul";
  struct attributes {
    backend::transpose a = backend::transpose::no, b = backend::transpose::no;
  };

  static signature shape(const attributes& t, operands in) {
    check(inner(t.a, in[0]) == outer(t.b, in[1]), label, "inner dimensions differ: ", describe("a", in[0]),
          t.a == backend::transpose::yes ? " transposed" : "", ", ", describe("b", in[1]),
          t.b == backend::transpose::yes ? " transposed" : "", "; ", inner(t.a, in[0]), " != ", outer(t.b, in[1]));
    return {.outputs = {{outer(t.a, in[0]), inner(t.b, in[1])}}, .backward_reads = reads(0) | reads(1)};
  }

  template <class B, class T>
  requires HasGemm<B, T>
  static void forward(call<B, T> c, const attributes& t) {
    gemm(c.device(), t.a, t.b, T(1), c.in(0), c.in(1), T(0), c.out());
  }

  template <class B, class T>
  requires HasGemm<B, T>
  static void backward(call<B, T> c, const attributes& t) {
    matmul_gradients<B, T>(c, t.a, t.b,
                           [&](auto of_x, auto of_y, view_of<B, const T> x, view_of<B, const T> y, sink<B, T> to) {
                             gemm(c.device(), of_x, of_y, T(1), x, y, to.beta(), to.to);
                           });
  }

  static cost work(const attributes& t, operands in, bool backward) {
    const double m = double(outer(t.a, in[0])), k = double(inner(t.a, in[0])), n = double(inner(t.b, in[1]));
    return {(backward ? 4 : 2) * m * k * n, (backward ? 2 : 1) * 4 * (m * k + k * n + m * n)};
  }

  static std::vector<op_case<matmul_op>> cases() {
    constexpr auto no = backend::transpose::no, yes = backend::transpose::yes;
    return {{.name = "one", .inputs = {{1, 1}, {1, 1}}},
            {.name = "ab", .attributes = {no, no}, .inputs = {{3, 5}, {5, 7}}},
            {.name = "aTb", .attributes = {yes, no}, .inputs = {{5, 3}, {5, 7}}},
            {.name = "abT", .attributes = {no, yes}, .inputs = {{3, 5}, {7, 5}}},
            {.name = "aTbT", .attributes = {yes, yes}, .inputs = {{5, 3}, {7, 5}}},
            {.name = "outer", .attributes = {no, no}, .inputs = {{6, 1}, {1, 4}}},
            {.name = "inner", .attributes = {no, no}, .inputs = {{1, 19}, {19, 1}}},
            {.name = "one_gradient", .inputs = {{3, 2}, {.rows = 2, .cols = 4, .gradient = false}}},
            {.name = "inner_differs", .attributes = {no, no}, .inputs = {{3, 5}, {4, 7}}, .must_throw = true},
            {.name = "not_transposed", .attributes = {no, yes}, .inputs = {{3, 5}, {5, 7}}, .must_throw = true},
            {.name = "2048x576x576", .inputs = {{2048, 576}, {576, 576}}, .benchmark = true}};
  }

 private:
  /// Rows and columns of op(x).
  static index_t outer(backend::transpose t, const operand& x) { return t == backend::transpose::no ? x.rows : x.cols; }
  static index_t inner(backend::transpose t, const operand& x) { return t == backend::transpose::no ? x.cols : x.rows; }
};

/// matmul(t, a, b); with yes = backend::transpose::yes a^T b is matmul(t, a, b, yes), a b^T matmul(t, a, b, no, yes)
template <class B, class T>
var<T> matmul(tape<B>& t, var<T> a, var<T> b, backend::transpose of_a = backend::transpose::no,
              backend::transpose of_b = backend::transpose::no) {
  return t.template apply<matmul_op, T>({of_a, of_b}, {a, b});
}

template <class B, class T>
value<B, T> matmul(value<B, T> x, value<B, T> y, backend::transpose of_x = backend::transpose::no,
                   backend::transpose of_y = backend::transpose::no) {
  return on(x.tape(), matmul(tape_of(x, y), x.var(), y.var(), of_x, of_y));
}

}  // namespace mor1e::ops
