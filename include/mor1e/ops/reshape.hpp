// The same elements as a matrix of another shape.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y holds the elements of x in row-major order                             x [T, n] -> y [rows, cols], rows cols = T n
/// A slot has one shape, so y is a slot of its own. In a plan it takes the place of an x that nobody reads afterwards,
/// and nothing is copied.
struct reshape_op {
  static constexpr const char* label = "reshape";
  struct attributes {
    index_t rows = 0;
    index_t cols = 0;
  };

  static signature shape(const attributes& a, operands in) {
    check(a.rows >= 0 && a.cols >= 0 && a.rows * a.cols == in[0].rows * in[0].cols, label,
          "another number of elements: ", describe("x", in[0]), ", [", a.rows, ", ", a.cols, "]");
    return {.outputs = {{a.rows, a.cols}}, .cheap = true, .in_place = 0};
  }

  template <class B, class T>
  requires HasAxpby<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    const view_of<B, const T> x(c.in(0).address(), a.rows, a.cols);
    if (x.address() != c.out().address()) axpby(c.device(), T(1), x, T(0), c.out());
  }

  template <class B, class T>
  requires HasAxpby<B, T>
  static void backward(call<B, T> c, const attributes& a) {
    const auto dx = c.grad_in(0);
    axpby(c.device(), T(1), c.grad_out(), dx.beta(), view_of<B, T>(dx.to.address(), a.rows, a.cols));
  }

  static cost work(const attributes&, operands in, bool) { return {0, 2 * double(in[0].rows * in[0].cols) * 4}; }

  static std::vector<op_case<reshape_op>> cases() {
    return {{.name = "one", .attributes = {1, 1}, .inputs = {{1, 1}}},
            {.name = "to_a_row", .attributes = {1, 15}, .inputs = {{5, 3}}},
            {.name = "to_a_column", .attributes = {15, 1}, .inputs = {{5, 3}}},
            {.name = "wider", .attributes = {2, 18}, .inputs = {{6, 6}}},
            {.name = "nothing", .attributes = {3, 0}, .inputs = {{0, 7}}},
            {.name = "fewer", .attributes = {2, 7}, .inputs = {{5, 3}}, .must_throw = true},
            {.name = "negative", .attributes = {-5, -3}, .inputs = {{5, 3}}, .must_throw = true},
            {.name = "2048x576", .attributes = {18432, 64}, .inputs = {{2048, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> reshape(tape<B>& t, var<T> x, index_t rows, index_t cols) {
  return t.template apply<reshape_op, T>({rows, cols}, {x});
}

template <class B, class T>
value<B, T> reshape(value<B, T> x, index_t rows, index_t cols) {
  return on(x.tape(), reshape(x.tape(), x.var(), rows, cols));
}

}  // namespace mor1e::ops
