// Matrices one below the other.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = x_0 over x_1 over ..., two to eight of them                                   x_k [T_k, n] -> y [sum T_k, n]
struct concat_rows_op {
  static constexpr const char* label = "concat_rows";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in.size() >= 2 && in.size() <= 8, label, "2 to 8 inputs, not ", in.size());
    index_t rows = 0;
    for (const operand& x : in) {
      check(x.cols == in[0].cols, label, "columns differ: ", describe("x_0", in[0]), ", ", describe("x_k", x));
      rows += x.rows;
    }
    return {.outputs = {{rows, in[0].cols}}, .cheap = true};
  }

  template <class B, class T>
  requires HasAxpby<B, T>
  static void forward(call<B, T> c, const attributes&) {
    for (index_t k = 0, begin = 0; k < c.inputs(); begin += c.in(k++).rows)
      axpby(c.device(), T(1), c.in(k), T(0), c.out().row_range(begin, c.in(k).rows));
  }

  template <class B, class T>
  requires HasAxpby<B, T>
  static void backward(call<B, T> c, const attributes&) {
    for (index_t k = 0, begin = 0; k < c.inputs(); begin += c.in(k++).rows)
      if (const auto dx = c.grad_in(k))
        axpby(c.device(), T(1), c.grad_out().row_range(begin, dx.to.rows), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool) {
    double n = 0;
    for (const operand& x : in) n += double(x.rows * x.cols);
    return {0, 2 * n * 4};
  }

  static std::vector<op_case<concat_rows_op>> cases() {
    return {{.name = "ones", .inputs = {{1, 1}, {1, 1}}},
            {.name = "three", .inputs = {{19, 4}, {1, 4}, {3, 4}}},
            {.name = "some_gradients", .inputs = {{3, 2}, {.rows = 2, .cols = 2, .gradient = false}, {1, 2}}},
            {.name = "alone", .inputs = {{2, 3}}, .must_throw = true},
            {.name = "columns_differ", .inputs = {{3, 2}, {3, 3}}, .must_throw = true},
            {.name = "2048x576", .inputs = {{2048, 576}, {2048, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> concat_rows(tape<B>& t, std::span<const var<T>> x) {
  return t.template apply<concat_rows_op, T>({}, std::vector<operand>(x.begin(), x.end()));
}

/// concat_rows(a, b, ...)
template <class B, class T, std::same_as<value<B, T>>... More>
value<B, T> concat_rows(value<B, T> x, More... more) {
  const var<T> parts[] = {x.var(), more.var()...};
  return on(x.tape(), concat_rows(x.tape(), std::span<const var<T>>(parts)));
}

}  // namespace mor1e::ops
