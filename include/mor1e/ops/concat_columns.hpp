// Matrices side by side.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"

namespace mor1e::ops {

/// y = [x_0 | x_1 | ...], two to eight of them                                      x_k [T, n_k] -> y [T, sum n_k]
struct concat_columns_op {
  static constexpr const char* label = "concat_columns";
  using attributes = no_attributes;

  static signature shape(const attributes&, operands in) {
    check(in.size() >= 2 && in.size() <= 8, label, "2 to 8 inputs, not ", in.size());
    index_t cols = 0;
    for (const operand& x : in) {
      check(x.rows == in[0].rows, label, "rows differ: ", describe("x_0", in[0]), ", ", describe("x_k", x));
      cols += x.cols;
    }
    return {.outputs = {{in[0].rows, cols}}, .cheap = true};
  }

  template <class B, class T>
  requires HasAxpby<B, T>
  static void forward(call<B, T> c, const attributes&) {
    for (index_t k = 0, begin = 0; k < c.inputs(); begin += c.in(k++).cols)
      axpby(c.device(), T(1), c.in(k), T(0), c.out().col_range(begin, c.in(k).cols));
  }

  template <class B, class T>
  requires HasAxpby<B, T>
  static void backward(call<B, T> c, const attributes&) {
    for (index_t k = 0, begin = 0; k < c.inputs(); begin += c.in(k++).cols)
      if (const auto dx = c.grad_in(k))
        axpby(c.device(), T(1), c.grad_out().col_range(begin, dx.to.cols), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool) {
    double n = 0;
    for (const operand& x : in) n += double(x.rows * x.cols);
    return {0, 2 * n * 4};
  }

  static std::vector<op_case<concat_columns_op>> cases() {
    return {{.name = "ones", .inputs = {{1, 1}, {1, 1}}},
            {.name = "three", .inputs = {{4, 19}, {4, 1}, {4, 3}}},
            {.name = "some_gradients", .inputs = {{2, 3}, {.rows = 2, .cols = 2, .gradient = false}, {2, 1}}},
            {.name = "alone", .inputs = {{2, 3}}, .must_throw = true},
            {.name = "rows_differ", .inputs = {{2, 3}, {3, 3}}, .must_throw = true},
            {.name = "2048x576", .inputs = {{2048, 576}, {2048, 576}}, .benchmark = true}};
  }
};

template <class B, class T>
var<T> concat_columns(tape<B>& t, std::span<const var<T>> x) {
  return t.template apply<concat_columns_op, T>({}, std::vector<operand>(x.begin(), x.end()));
}

/// concat_columns(a, b, ...)
template <class B, class T, std::same_as<value<B, T>>... More>
value<B, T> concat_columns(value<B, T> x, More... more) {
  const var<T> parts[] = {x.var(), more.var()...};
  return on(x.tape(), concat_columns(x.tape(), std::span<const var<T>>(parts)));
}

}  // namespace mor1e::ops
