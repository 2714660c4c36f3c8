// Sum of all elements, of each column or of each row.
#pragma once

#include "mor1e/autodiff/tape.hpp"
#include "mor1e/autodiff/value.hpp"
#include "mor1e/backend/concept.hpp"
#include "mor1e/ops/over.hpp"

namespace mor1e::ops {

/// y = sum of x over all elements (added in double), over the rows or over the columns; dx = dy, repeated. An empty sum
/// is 0.                                                              x [T, n] -> y [1, 1], [1, n] or [T, 1]
struct sum_op {
  static constexpr const char* label = "sum";
  struct attributes {
    ops::over over = ops::over::all;
  };

  static signature shape(const attributes& a, operands in) {
    return {.outputs = {reduced_shape(a.over, in[0])}, .cheap = a.over == over::columns};
  }

  template <class B, class T>
  requires HasSums<B, T>
  static void forward(call<B, T> c, const attributes& a) {
    switch (a.over) {
      case over::all: return sum(c.device(), c.in(0), T(0), c.out());
      case over::rows: return column_sums(c.device(), c.in(0), T(0), c.out());
      case over::columns: return row_sums(c.device(), c.in(0), c.out());
    }
  }

  template <class B, class T>
  requires HasSums<B, T>
  static void backward(call<B, T> c, const attributes&) {
    const auto dx = c.grad_in(0);
    broadcast(c.device(), c.grad_out(), dx.beta(), dx.to);
  }

  static cost work(const attributes&, operands in, bool) {
    const double n = double(in[0].rows * in[0].cols);
    return {1 * n, 1 * n * 4};
  }

  static std::vector<op_case<sum_op>> cases() {
    return {{.name = "one", .inputs = {{1, 1}}},
            {.name = "all", .inputs = {{5, 19}}},
            {.name = "all_tall", .inputs = {{200, 1}}},
            {.name = "rows", .attributes = {over::rows}, .inputs = {{5, 19}}},
            {.name = "rows_tall", .attributes = {over::rows}, .inputs = {{70, 1}}},
            {.name = "rows_of_one", .attributes = {over::rows}, .inputs = {{1, 19}}},
            {.name = "columns", .attributes = {over::columns}, .inputs = {{5, 3}}},
            {.name = "columns_of_one_row", .attributes = {over::columns}, .inputs = {{1, 19}}},
            {.name = "square", .attributes = {over::rows}, .inputs = {{4, 4}}},
            {.name = "2048x576", .inputs = {{2048, 576}}, .benchmark = true},
            {.name = "2048x576_columns", .attributes = {over::columns}, .inputs = {{2048, 576}}, .benchmark = true}};
  }
};

/// sum(t, x) is one number; sum(t, x, over::columns) one a row.
template <class B, class T>
var<T> sum(tape<B>& t, var<T> x, over what = over::all) {
  return t.template apply<sum_op, T>({what}, {x});
}

template <class B, class T>
value<B, T> sum(value<B, T> x, over what = over::all) {
  return on(x.tape(), sum(x.tape(), x.var(), what));
}

}  // namespace mor1e::ops
